"""The Matrix connector: our own `/sync` loop over raw bytes."""
