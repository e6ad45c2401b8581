"""One folder for each platform: `client.py` does I/O, `mapping.py` is pure."""
