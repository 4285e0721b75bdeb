"""The captures of a callable: everything that it reaches, judged, and taken apart into the program that rebuilds it."""
