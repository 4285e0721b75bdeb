"""`capsend node` and `capsend certificates`: the daemon as an OS process, and the files for it."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from capsend.cluster.daemon import Daemon
from capsend.cluster.lines import TOKEN_BYTES, Token
from capsend.cluster.tls import Certificates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from capsend.cluster.lines import Credentials

_LOG: Final = "capsend node: %(message)s"


def credentials_of(authority: str | None, certificate: str | None, key: str | None, token: str | None) -> Credentials:
    """Read the given files.

    Raises:
        ValueError: neither all three files of certificates nor a token are given, both are, or the token is not 64 hex digits.
        OSError, Refused: as for `Certificates.load`.
    """
    if token is not None and (authority, certificate, key) == (None, None, None):
        text = Path(token).read_text("ascii").strip()
        if not re.fullmatch(f"[0-9a-fA-F]{{{2 * TOKEN_BYTES}}}", text):
            raise ValueError(f"{token} holds no token: write {2 * TOKEN_BYTES} hex digits into it")
        return Token(bytes.fromhex(text))
    if token is None and authority is not None and certificate is not None and key is not None:
        return Certificates.load(authority=authority, certificate=certificate, key=key)
    raise ValueError("a node needs credentials: give --authority, --certificate and --key, or --token alone")


def serve(
    credentials: Credentials,
    *,
    host: str,
    port: int,
    homes: int,
    ports: Sequence[int],
    name: str,
    labels: Mapping[str, str],
) -> NoReturn:
    """Run the daemon until SIGINT or SIGTERM; parameters and errors as for `Daemon`."""
    logging.basicConfig(format=_LOG, level=logging.WARNING, stream=sys.stderr)
    daemon = Daemon(credentials, host=host, port=port, homes=homes, ports=ports, name=name, labels=labels)
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    threading.Thread(target=daemon.serve, name="capsend daemon", daemon=True).start()
    click.echo(f"listening on {host}, port {daemon.port}")
    sys.stdout.flush()
    over.wait()
    daemon.close()
    raise SystemExit(0)


def make_certificates(folder: Path, hosts: Iterable[str], *, days: int) -> None:
    """Write an authority's certificate into a folder, and a certificate with key for home and for each host.

    Raises:
        FileExistsError: a file exists already.
        ValueError: the name of a host cannot be a file name.
        CapsendError: the package `cryptography` is missing.
    """
    from capsend.cluster.authority import Authority

    for host in hosts:
        if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.:-]*", host) or host == "home":
            raise ValueError(f"{host!r} is no name of a host")
    authority = Authority(days=days)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder / "authority.pem", authority.certificate)
    issued = {"home": authority.issue(["home"], role="home")}
    issued |= {host: authority.issue([host], role="node") for host in hosts}
    for name, made in issued.items():
        _write(folder / f"{name}.pem", made.texts["certificate"])
        _write(folder / f"{name}.key", made.texts["key"])


def _write(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
