"""The command line: what each command does, and how programs are named, run and shown."""
