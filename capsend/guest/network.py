"""A process has no network: whatever would use it says so, and what to do instead, before it reaches WASI.

Nothing may get that far while the image is made either: the C library would keep what it was given then, which means nothing in a process.
"""

from __future__ import annotations

import _socket
import errno
from typing import Any, NoReturn

_WORDS = "a process has no network. Let a function of the host do this: decorate it with @capsend.host_function, and call it here"
_LOOKUPS = ("getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo")


class socket(_socket.socket):  # noqa: N801 - the name that it has in the standard library
    """A socket that cannot be made."""

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None) -> None:  # noqa: A002, ARG002 - as in the standard library
        raise PermissionError(errno.EACCES, _WORDS)


def _look_up(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise _socket.gaierror(_socket.EAI_FAIL, _WORDS)


async def _look_up_later(_loop: Any, *_args: Any, **_kwargs: Any) -> NoReturn:
    _look_up()


def install() -> None:
    """Put this in the place of what would use the network; before the standard library is imported."""
    socket.__module__ = "_socket"
    vars(_socket).update(socket=socket, SocketType=socket)
    for name in _LOOKUPS:
        if hasattr(_socket, name):
            vars(_socket)[name] = _look_up
    _install_https()


def _install_https() -> None:
    """Let `https` be known: without `ssl`, the standard library does not know the word."""
    import http.client

    class HTTPSConnection(http.client.HTTPConnection):
        """A connection that cannot be made."""

        default_port = http.client.HTTPS_PORT

        def __init__(self, host: str, port: int | None = None, *, context: object = None, **options: Any) -> None:
            super().__init__(host, port, **options)
            self._context = context

        def connect(self) -> None:
            """Say that there is no network."""
            raise PermissionError(errno.EACCES, _WORDS)

    HTTPSConnection.__module__, HTTPSConnection.__qualname__ = "http.client", "HTTPSConnection"
    vars(http.client).update(HTTPSConnection=HTTPSConnection, _create_https_context=lambda _version: None)
    http.client.__all__.append("HTTPSConnection")


def install_loops() -> None:
    """Let event loops say so as well, which would ask a thread of their own; after asyncio is imported."""
    import asyncio.base_events

    for name in ("getaddrinfo", "getnameinfo"):
        setattr(asyncio.base_events.BaseEventLoop, name, _look_up_later)
