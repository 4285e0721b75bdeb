"""An object defined in a private module of the library is found under its public name, even if the image lacks the private module."""

import hashlib

from capsend import spawn


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() + hashlib.md5(data).hexdigest()


def run() -> None:
    assert spawn(digest, b"a").result() == digest(b"a")
