"""A running process on the host: its thread, its limits, its operations, its children."""
