"""The absence of a network: every use raises an error with a cure, before it reaches WASI.

While the image is built, no use may reach WASI either: the C library would keep its result, which is meaningless in a
process.
"""

from __future__ import annotations

import _socket
import errno
from typing import Any, NoReturn

_WORDS = "a process has no network. Let a host function do this: decorate one in the host with @capsend.host_function, and call it"
_LOOKUPS = ("getaddrinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo")


class socket(_socket.socket):  # noqa: N801 - its name in the standard library
    """A socket that cannot be made."""

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None) -> None:  # noqa: A002, ARG002 - as in the standard library
        raise PermissionError(errno.EACCES, _WORDS)


def _look_up(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise _socket.gaierror(_socket.EAI_FAIL, _WORDS)


async def _look_up_later(_loop: Any, *_args: Any, **_kwargs: Any) -> NoReturn:
    _look_up()


def install() -> None:
    """Replace the modules that use the network; called before the standard library is imported."""
    socket.__module__ = "_socket"
    vars(_socket).update(socket=socket, SocketType=socket)
    for name in _LOOKUPS:
        if hasattr(_socket, name):
            vars(_socket)[name] = _look_up
    _install_https()


def _install_https() -> None:
    """Register the scheme `https`, which the standard library has only together with `ssl`."""
    import http.client

    class HTTPSConnection(http.client.HTTPConnection):
        """A connection that cannot be made."""

        default_port = http.client.HTTPS_PORT

        def __init__(self, host: str, port: int | None = None, *, context: object = None, **options: Any) -> None:
            super().__init__(host, port, **options)
            self._context = context

        def connect(self) -> None:
            """Refuse: a process has no network."""
            raise PermissionError(errno.EACCES, _WORDS)

    HTTPSConnection.__module__, HTTPSConnection.__qualname__ = "http.client", "HTTPSConnection"
    vars(http.client).update(HTTPSConnection=HTTPSConnection, _create_https_context=lambda _version: None)
    http.client.__all__.append("HTTPSConnection")


def install_loops() -> None:
    """Make event loops refuse too, as they would use a thread; called after asyncio is imported."""
    import asyncio.base_events

    for name in ("getaddrinfo", "getnameinfo"):
        setattr(asyncio.base_events.BaseEventLoop, name, _look_up_later)
