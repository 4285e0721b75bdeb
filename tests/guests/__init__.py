"""Guests in other languages than Python: a folder each, built from source by `languages`, and the cases that all of them pass."""
