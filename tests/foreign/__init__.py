"""The log as programs read it that nobody here wrote."""
