"""Real servers for tests: started on loopback, ended by process id."""
