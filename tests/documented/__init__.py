"""Every command that stands on a page is run as it stands there.

A test takes the commands of whole sections out of the pages (``walk.documented``)
and MUST run each of them; what cannot be run stands in ``unrunnable``. A command
that is in neither fails ``test_completeness``.
"""
