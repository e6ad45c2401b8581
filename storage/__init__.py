"""What keeps things: journal, spool, objects, office."""
