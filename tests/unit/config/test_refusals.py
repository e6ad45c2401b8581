"""One sentence for each way in which settings can be wrong."""

from __future__ import annotations

import pytest

from tests.unit.config.samples import GROUP, MATRIX, S3, TELEGRAM, WITNESSES, sentence

MAIL = """
[alerts]
email_to = ["duty@example.org"]
email_from = "muniment@example.org"
smtp_host = "mail.example.org"
"""


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"MUNIMENT_STORE__URI": "x"},
            "MUNIMENT_STORE__URI is not a setting: did you mean MUNIMENT_STORE__URL.",
        ),
        (
            {"MUNIMENT_CONFG": "x"},
            "MUNIMENT_CONFG is not a setting: did you mean MUNIMENT_CONFIG.",
        ),
        (
            {"MUNIMENT_MATRIX__NAME": "x"},
            "MUNIMENT_MATRIX__NAME is not a setting: [[matrix]] tables are set in the file only.",
        ),
        (
            {"MUNIMENT_store__url": "file:x"},
            "MUNIMENT_store__url is not a setting: did you mean MUNIMENT_STORE__URL.",
        ),
        (
            {"MUNIMENT_STORE__URL": ""},
            "MUNIMENT_STORE__URL is empty: give it a value, or remove the line for the default.",
        ),
        (
            {"MUNIMENT_STORE__REVIEW_DAYS": "many"},
            (
                'MUNIMENT_STORE__REVIEW_DAYS is \'many\': write 30, true or ["A", "B"], as the file'
                " would."
            ),
        ),
        (
            {"MUNIMENT_STORE__REVIEW_DAYS": "30\nurl = 's3://x'"},
            (
                "MUNIMENT_STORE__REVIEW_DAYS is \"30\\nurl = 's3://x'\": write 30, true or"
                ' ["A", "B"], as the file would.'
            ),
        ),
        (
            {"MUNIMENT_STORE__REVIEW_DAYS": "'30'"},
            (
                "MUNIMENT_STORE__REVIEW_DAYS is not a whole number: write it without quotes and"
                " without a point."
            ),
        ),
        (
            {"MUNIMENT_STORE__LOCK_MODE": "governance"},
            (
                'MUNIMENT_STORE__LOCK_MODE is "governance", and url is a folder, which cannot lock'
                ' anything: set lock_mode = "none", or use an s3: store.'
            ),
        ),
    ],
)
def test_a_variable_that_cannot_be_used(environ: dict[str, str], message: str) -> None:
    """An unknown or unfit variable is refused under its own name."""
    assert sentence("", environ) == message


BAD_FILES = [
    # Keys and tables nobody knows.
    ('[store]\nurls = "file:x"', "[store] urls is not a setting: did you mean url."),
    (
        "[spool]\ndiscard_after_days = 3",
        "[spool] discard_after_days is not a setting: it belongs under [policy].",
    ),
    (
        "[log]\nxyzzy = 3",
        "[log] xyzzy is not a setting: the keys of [log] are checkpoint_seconds.",
    ),
    ('[stor]\nurl = "x"', "[stor] is not a table of this file: did you mean [store]."),
    ('name = "x"', "name stands in no table: move it below its table."),
    ("[xyzzy]", "[xyzzy] is not a table of this file: the tables are [service], [store], "),
    ("[group]\n", "[group] is not a table of this file: did you mean [[groups]]."),
    ('tenant = "x"', "tenant stands in no table: move it below the line [service]."),
    (
        MATRIX + 'password = "hunter2"',
        "[[matrix]] password (table 1) is not a setting: did you mean password_file.",
    ),
    ('"a\\nb" = 1', "'a\\nb' stands in no table: move it below its table."),
    # Shapes and types.
    ("[store", "/srv/muniment.toml is not valid TOML ("),
    ("store = 1", "[store] is not one table: write its keys below one line [store]."),
    ("[[store]]", "[store] is not one table: write its keys below one line [store]."),
    ("[matrix]", "[[matrix]] is not a list of tables: begin each with a line [[matrix]]."),
    ("matrix = [1]", "[[matrix]] (table 1) is not a list of tables: begin each with a line"),
    ("[store]\nurl = 1", "[store] url is not text: put the value in quotes."),
    ("[service]\ndata_dir = 1", "[service] data_dir is not text: give a path in quotes."),
    (
        '[store]\nreview_days = "30"',
        "[store] review_days is not a whole number: write it without quotes and without a point.",
    ),
    ("[store]\nreview_days = true", "[store] review_days is not a whole number: write it"),
    (
        '[policy]\ncapture_all = "yes"',
        "[policy] capture_all is neither true nor false: write true or false, without quotes.",
    ),
    ('[policy]\ncapstone = "x"', '[policy] capstone is not a list: write it as ["A", "B"].'),
    ('[policy]\ncapstone = [""]', "[policy] capstone is empty: give it a value, or remove"),
    ("[console]\nhosts = []", "[console] hosts is empty: name at least one, or remove"),
    ("[log]\ncheckpoint_seconds = 0", "[log] checkpoint_seconds is 0: set it to more than 0."),
    ("[log]\ncheckpoint_seconds = inf", "[log] checkpoint_seconds is "),
    ('[log]\ncheckpoint_seconds = "1"', "[log] checkpoint_seconds is not a number: write it"),
    # Empty values never widen scope.
    ('[service]\ntenant = ""', "[service] tenant is empty: give it a value, or remove the line"),
    ('[service]\nmetrics = ""', "[service] metrics is empty: give it a value"),
    ('[service]\ndata_dir = " "', "[service] data_dir is empty: give it a value"),
    ('[store]\nurl = ""', "[store] url is empty: give it a value"),
    (GROUP.replace("!room:example.org", ""), "[[groups]] id (table 1) is empty: give it a value"),
    (GROUP.replace("Flood cell", " "), "[[groups]] name (table 1) is empty: give it a value"),
    ('[notice]\ncontact = ""', "[notice] contact is empty: give it a value"),
    ('[notice]\ncontact = "a\\nb"', "[notice] contact holds a control character: write it"),
    # [service]
    (
        '[service]\ntenant = "Demo"',
        "[service] tenant is 'Demo': use 1 to 64 of a-z, 0-9, _ and -.",
    ),
    (f'[service]\ntenant = "{"a" * 65}"', "[service] tenant is 'aaa"),
    (
        '[service]\nlog_origin = "https://records.example.org"',
        (
            "[service] log_origin is 'https://records.example.org': use a domain name of yours in"
            " lower case, as records.example.org, without https://."
        ),
    ),
    ('[service]\nlog_origin = "a+b"', "[service] log_origin is 'a+b': use a domain name"),
    ('[service]\nlog_origin = "a/../b"', "[service] log_origin is 'a/../b': use a domain name"),
    (
        '[service]\nconsole = ":8080"',
        (
            "[service] console is ':8080': write HOST:PORT, as 127.0.0.1:8080; 0.0.0.0 must be"
            " written out."
        ),
    ),
    ('[service]\nmetrics = "127.0.0.1"', "[service] metrics is '127.0.0.1': write HOST:PORT"),
    ('[service]\nmetrics = "127.0.0.1:65536"', "[service] metrics is '127.0.0.1:65536': write"),
    ('[service]\nmetrics = "::1:9464"', "[service] metrics is '::1:9464': write HOST:PORT"),
    (
        '[service]\nhttp_proxy = "http://me:hunter2@proxy"',
        "[service] http_proxy holds a user name or password: leave it out of the address.",
    ),
    ('[service]\nhttp_proxy = "proxy:3128"', "[service] http_proxy is not a web address: write"),
    ('[service]\nhttp_proxy = "http://[::1"', "[service] http_proxy is not a web address: write"),
    ('[service]\nhttp_proxy = "http://a b"', "[service] http_proxy holds a space: write http"),
    ('[service]\nca_file = "ca.pem "', "[service] ca_file begins or ends with a space: give"),
    # [store]
    (
        '[store]\nurl = "ftp://x"',
        (
            "[store] url is not of a kind this program knows: write file:PATH or s3://BUCKET or"
            " s3://BUCKET/PREFIX."
        ),
    ),
    ('[store]\nurl = "var/store"', "[store] url is not of a kind this program knows: write"),
    ('[store]\nurl = "s3:bucket"', "[store] url is not of a kind this program knows: write"),
    ('[store]\nurl = "file:"', "[store] url names no folder: write file:PATH"),
    ('[store]\nurl = "file://host/x"', "[store] url names a host after file://: write file:PATH"),
    (
        '[store]\nurl = "s3://"',
        (
            "[store] url does not name a bucket: write s3://BUCKET or s3://BUCKET/PREFIX, with the"
            " bucket's name alone (3 to 63 of a-z, 0-9, . and -); a server's address is"
            " endpoint_url."
        ),
    ),
    ('[store]\nurl = "s3:///prefix"', "[store] url does not name a bucket: write s3://BUCKET"),
    ('[store]\nurl = "s3://b/a/../c"', "[store] url does not name a bucket: write s3://BUCKET"),
    ('[store]\nurl = "s3://a..b"', "[store] url does not name a bucket: write s3://BUCKET"),
    ('[store]\nurl = "s3://My_Bucket"', "[store] url does not name a bucket: write s3://BUCKET"),
    ('[store]\nurl = "s3://127.0.0.1"', "[store] url does not name a bucket: write s3://BUCKET"),
    ('[store]\nurl = "s3://host:9000/x"', "[store] url does not name a bucket: write s3://BUCKET"),
    ('[store]\nurl = "s3://me:hunter2@x"', "[store] url does not name a bucket: write s3://BUCKET"),
    (
        '[store]\nurl = "https://s3.example.org/bucket"',
        "[store] url is the address of a server, not a bucket: write s3://BUCKET or",
    ),
    ('[store]\nurl = "s3://bucket/a/../c"', "[store] url has the prefix 'a/../c': use letters"),
    ('[store]\nurl = "s3://bucket/a//c"', "[store] url has the prefix 'a//c': use letters"),
    (
        '[store]\nurl = "s3://bucket"',
        (
            "[store] retention_days is missing, and url is an s3: store: set the number of days for"
            " which records must be kept."
        ),
    ),
    (
        '[store]\nurl = "s3://bucket"\nlock_mode = "none"',
        "[store] retention_days is missing, and url is an s3: store: set",
    ),
    (
        '[store]\nlock_mode = "governance"',
        (
            '[store] lock_mode is "governance", and url is a folder, which cannot lock anything:'
            ' set lock_mode = "none", or use an s3: store.'
        ),
    ),
    (
        '[store]\nlock_mode = "off"',
        "[store] lock_mode is 'off': use 'none', 'governance' or 'compliance'.",
    ),
    (
        "[store]\nreview_days = 13",
        "[store] review_days is 13: set it to 14 days or more, so that people can decide in time.",
    ),
    (
        "[store]\nreview_days = 20\n[policy]\ncontext_minutes = 10080",
        "[store] review_days is 20, and context_minutes 10080: set it to 21 days or more, or lower",
    ),
    (
        "[store]\nreview_days = 99999",
        "[store] review_days is 99999: set it to at most 36500.",
    ),
    (
        "[store]\nretention_days = 0",
        "[store] retention_days is 0: set it to at least 1.",
    ),
    (
        '[store]\nendpoint_url = "https://s3.example.org"',
        (
            "[store] endpoint_url is set, and url is a folder: remove endpoint_url, or use an s3:"
            " store."
        ),
    ),
    ('[store]\nsse = "AES256"', "[store] sse is set, and url is a folder: remove sse, or use"),
    (
        S3 + 'kms_key_id = "k"',
        '[store] kms_key_id needs sse = "aws:kms": set sse so, or remove kms_key_id.',
    ),
    # Other single tables.
    (
        "[spool]\nmax_bytes = 10",
        (
            "[spool] media_max_bytes is more than max_bytes, which holds all attachments: lower it,"
            " or raise max_bytes."
        ),
    ),
    ('[policy]\nname = "../x"', "[policy] name is '../x': use 1 to 64 letters, digits, . _ or -."),
    (
        '[console]\noidc_issuer = "https://login.example.org"',
        "[console] oidc_client_id is missing, and oidc_issuer is set: set both or neither.",
    ),
    ('[console]\noidc_client_id = "x"', "[console] oidc_client_id needs oidc_issuer: set"),
    (
        '[alerts]\nemail_to = ["duty"]\nemail_from = "a@b.org"\nsmtp_host = "h"',
        "[alerts] email_to is not an e-mail address: write it as name@example.org.",
    ),
    (
        '[alerts]\nemail_to = ["a@b.org\\nBcc: x@y.org"]',
        "[alerts] email_to holds a control character",
    ),
    (
        '[alerts]\nemail_to = ["a@b.org"]\nsmtp_host = "h"',
        "[alerts] email_from is missing, and email_to is set: set email_from.",
    ),
    (
        '[alerts]\nemail_to = ["a@b.org"]\nemail_from = "a@b.org"',
        "[alerts] smtp_host is missing, and email_to is set: set smtp_host.",
    ),
    (
        '[alerts]\nsmtp_host = "h"',
        "[alerts] smtp_host needs email_to: set email_to, or remove smtp_host.",
    ),
    (
        MAIL + 'smtp_user = "u"',
        "[alerts] smtp_password_file is missing, and the other is set: set both or neither.",
    ),
    (
        MAIL + 'smtp_user = "u"\nsmtp_password_file = "p"\nsmtp_security = "none"',
        (
            "[alerts] smtp_security would send the password in the clear: set smtp_security to"
            ' "starttls" or "tls", or remove smtp_user.'
        ),
    ),
    (
        '[witness]\nurl = "https://w.example.org"',
        (
            "[witness] public_key_file is missing, and url is set: name the file with the witness's"
            " verifier key."
        ),
    ),
    # Connectors.
    (
        MATRIX.replace('password_file = "keys/matrix.password"', ""),
        (
            "[[matrix]] password_file (table 1) is missing, and so is access_token_file: name the"
            " file with the password, or the one with the access token."
        ),
    ),
    (
        MATRIX.replace("@recorder:example.org", "recorder"),
        "[[matrix]] user_id (table 1) is 'recorder': use a full user id, @name:server.",
    ),
    (
        MATRIX + "default_retention_seconds = 0",
        "[[matrix]] default_retention_seconds (table 1) is 0: set it to more than 0.",
    ),
    (
        MATRIX + TELEGRAM.replace('"telegram"', '"matrix"'),
        '[[matrix]] and [[telegram]] name is "matrix" twice: give each a name of its own.',
    ),
    (
        TELEGRAM.replace('token_file = "keys/telegram.token"', ""),
        "[[telegram]] token_file (table 1) is missing: add token_file, file with the bot's token.",
    ),
    (
        '[[retention]]\nname = "a"\ndays = 1\n[[retention]]\nname = "a"\ndays = 2',
        '[[retention]] name is "a" twice: give each a name of its own.',
    ),
    # Groups.
    (
        MATRIX + GROUP.replace('name = "Flood cell"', ""),
        "[[groups]] name (table 1) is missing: add name, the group's name for people.",
    ),
    (
        GROUP,
        (
            '[[groups]] connector (table 1) is "matrix", and no connector has that name: add a'
            " [[matrix]] or [[telegram]] table of that name, or use one of: none yet."
        ),
    ),
    (
        MATRIX + GROUP.replace("!room", "#room"),
        (
            '[[groups]] id (table 1) is "#room:example.org": give the room\'s id, which begins with'
            " !, for an alias can be moved to another room."
        ),
    ),
    (
        MATRIX + GROUP.replace("!room", "room"),
        '[[groups]] id (table 1) is "room:example.org": give the room\'s id, which begins with !.',
    ),
    (
        TELEGRAM + GROUP.replace('"matrix"', '"telegram"'),
        (
            '[[groups]] id (table 1) is "!room:example.org": give the group\'s number, which begins'
            " with - (names can be taken by others)."
        ),
    ),
    (
        TELEGRAM + '[[groups]]\nconnector = "telegram"\nid = -100\nname = "x"',
        "[[groups]] id (table 1) is not text: put the value in quotes.",
    ),
    (
        MATRIX + GROUP + GROUP,
        (
            '[[groups]] id is "!room:example.org" in 2 tables of connector "matrix": list each'
            " group once."
        ),
    ),
    (
        "[witness]\nquorum = 2",
        (
            "[witness] quorum is 2, and there are 0 witnesses: lower it, or add [[witnesses]]"
            " tables."
        ),
    ),
    (
        WITNESSES.replace("quorum = 2", "quorum = 4"),
        (
            "[witness] quorum is 4, and there are 3 witnesses: lower it, or add [[witnesses]]"
            " tables."
        ),
    ),
    (
        WITNESSES.replace("w3.example.org", "w1.example.org"),
        '[[witnesses]] url is "https://w1.example.org" twice: name each witness once.',
    ),
    (
        '[[witnesses]]\nurl = "https://w.example.org"',
        "[[witnesses]] public_key_file (table 1) is missing: add public_key_file, its one-line",
    ),
    (
        '[timestamp]\nca_file = "tsa.pem"',
        "[timestamp] ca_file needs url: set url, or remove ca_file.",
    ),
    (
        MATRIX + GROUP + 'retention = "long"',
        (
            '[[groups]] retention (table 1) is "long", and no [[retention]] table has that name:'
            " add the class, or remove the line for [store] retention_days."
        ),
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD_FILES)
def test_a_file_that_cannot_be_used(text: str, message: str) -> None:
    """Each mistake gives one sentence with the field, the fact and the remedy."""
    said = sentence(text)
    assert said == message if message.endswith(".") else said.startswith(message)
    for foreign in ("pydantic", "Input should", "validation", "Traceback", "hunter2"):
        assert foreign not in said


def test_an_unknown_key_is_named_before_what_it_leaves_missing() -> None:
    """A misspelt key explains the missing one, so it is what the operator reads."""
    said = sentence(MATRIX.replace("user_id", "userid"))
    assert said == "[[matrix]] userid (table 1) is not a setting: did you mean user_id."


OVERRIDE = """
[[overrides]]
connector = "matrix"
group = "!room:example.org"
code = "LOGISTICS"
outcome = "capture"
reason = "It is there for logistics"
approver = "Head of records"
date = 2026-03-01
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "!room:",
            "!other:",
            (
                '[[overrides]] group (table 1) is "!other:example.org", and no [[groups]] table of'
                ' connector "matrix" has that id: list the group, or correct connector and group.'
            ),
        ),
        (
            "2026-03-01",
            '"in March"',
            "[[overrides]] date (table 1) is 'in March': write the day as 2026-03-01.",
        ),
        (
            '"capture"',
            '"keep"',
            "[[overrides]] outcome (table 1) is 'keep': use 'capture', 'review' or 'discard'.",
        ),
        (
            'approver = "Head of records"\n',
            "",
            "[[overrides]] approver (table 1) is missing: add approver, who approved it.",
        ),
    ],
)
def test_an_override_that_cannot_be_used(old: str, new: str, message: str) -> None:
    """It names a listed group, an outcome, a day, and who approved it."""
    assert old in OVERRIDE
    assert sentence(MATRIX + GROUP + OVERRIDE.replace(old, new)) == message


def test_a_code_is_overridden_once_in_a_group() -> None:
    """Two tables could say two things."""
    assert sentence(MATRIX + GROUP + OVERRIDE * 2) == (
        '[[overrides]] code (table 1) is "LOGISTICS" twice for one group: keep one table for each'
        " code of a group."
    )


def test_a_senior_role_stands_once() -> None:
    """And has somebody who holds it."""
    role = '[[capstone]]\nrole = "minister"\nids = ["@a:x.org"]\n'
    assert (
        sentence(role * 2) == '[[capstone]] role is "minister" twice: give each a name of its own.'
    )
    assert sentence(role.replace('"@a:x.org"', "")).startswith(
        "[[capstone]] ids (table 1) is empty"
    )
