"""JSON as platforms send it: exact byte ranges, and typed looks that never raise."""
