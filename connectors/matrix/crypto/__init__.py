"""Encryption of Matrix rooms: who the recorder is to others, and the keys it is given."""
