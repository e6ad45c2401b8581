"""The records manager's console: pages rendered here, for a browser with or without scripts.

It writes only the office. Everything else it reads, and every view of content stands in the audit
trail before it is sent.
"""
