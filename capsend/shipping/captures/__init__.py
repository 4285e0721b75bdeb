"""The captures of a callable: everything it reaches is judged and becomes part of the program that the process rebuilds."""
