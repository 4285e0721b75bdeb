"""The capabilities of a process, and the numbers by which the process names them."""
