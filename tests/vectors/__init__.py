"""Logs broken by hand, and whole ones, each a small file with the verdict it must get."""
