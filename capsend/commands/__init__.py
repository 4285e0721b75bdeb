"""The command line: the commands, and the naming, running and showing of programs."""
