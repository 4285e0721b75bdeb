"""The program of a node: `python -m capsend.cluster.program`, started by an engine, which writes its setup to standard input.

The setup is a line of JSON: `{"id", "number", "host", "port", "token" or "tls", "heartbeat", "lost_after"}`. The
program answers with a line on standard output: the number of the port on which it listens. It ends with its standard
input, or if home does not connect within a minute.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading

from capsend.cluster.hosting import Host
from capsend.cluster.lines import Token
from capsend.cluster.tls import Certificates
from capsend.runtime.life import count_from

_NUMBERS_EACH = 10_000_000
_PATIENCE = 60.0


def main() -> None:
    """Run a node until its standard input ends."""
    told = json.loads(sys.stdin.readline())
    count_from(told["number"] * _NUMBERS_EACH)
    credentials = Certificates(**told["tls"]) if "tls" in told else Token(bytes.fromhex(told["token"]))
    host = Host(told["id"], credentials, heartbeat=told["heartbeat"], lost_after=told["lost_after"])
    family = socket.AF_INET6 if ":" in told["host"] else socket.AF_INET
    listener = socket.create_server((told["host"], told.get("port", 0)), family=family)
    host.listen(listener)
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - the engine reads it
    os.dup2(2, 1)
    threading.Thread(target=warm, daemon=True).start()
    timer = threading.Timer(_PATIENCE, lambda: None if host.home.heard is not None else host.end())
    timer.daemon = True
    timer.start()
    with contextlib.suppress(OSError):
        while sys.stdin.buffer.read(4096):
            pass
    host.end()


def warm() -> None:
    """Load the image and the modules that the first process will need."""
    from capsend.image.image import Image
    from capsend.runtime import preloading

    image = Image()
    _ = image.content_key
    if image.is_built:
        image.template()
    preloading.load()


if __name__ == "__main__":
    main()
