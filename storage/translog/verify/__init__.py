"""``verify``: what a stranger can tell of an archive from the store and a public key alone.

The order is fixed: the checkpoint, then bundles and tiles against it; only where the leaves give
its root are leaves, numbers and objects judged, since nothing else says what they should be.
"""
