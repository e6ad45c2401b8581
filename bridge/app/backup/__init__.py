"""``muniment backup`` and ``muniment restore``: what is copied, and how it comes back.

Nothing is imported here: ``run`` asks only whether a restore was finished.
"""
