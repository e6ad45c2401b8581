-- What stands under review/ and nowhere else is looked through whenever a legal hold is placed.

CREATE INDEX entry_under_review ON entry (seq)
    WHERE state = 'stored' AND key >= 'review/' AND key < 'review0';
