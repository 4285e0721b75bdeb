"""The capabilities that a process can be given, and the numbers by which the process names them."""
