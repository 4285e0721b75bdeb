"""A plug-in that searches for data of the host."""

import os
import socket


def main():
    found = dict(os.environ)
    for path in ("/etc/passwd", "/", ".", f"{notes}/../../host.py", f"{notes.parent}/../host.py"):
        try:
            found[path] = open(path).read()
        except OSError:
            pass
    for way in (lambda: notes.write_text("Offer coffee."), lambda: socket.socket().connect(("127.0.0.1", 80))):
        try:
            found[way] = way()
        except (OSError, AttributeError):
            pass
    return found
