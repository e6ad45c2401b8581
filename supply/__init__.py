"""What the program is made of, from the locks: its list of parts, their licences, known faults."""
