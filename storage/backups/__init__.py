"""Back-ups: copies of live databases, a tar of them, and age around it. Format only, no settings.

``manifest`` is pure. What a back-up may hold is a list of names in ``tape``: everything else, the
keys of a live Matrix device above all, is refused when it is written and when it is read.
"""
