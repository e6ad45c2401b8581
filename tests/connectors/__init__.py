"""A connector of a third platform, small enough to be read at once."""
