"""Settings and policies. Imports nothing of ours."""
