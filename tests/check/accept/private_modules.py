"""An object defined in a private module of the library is found under its public name, even if the image lacks the private module."""

import hashlib
from hashlib import sha256
from hmac import compare_digest

from capsend import spawn


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() + hashlib.md5(data).hexdigest()


def is_digest(data: bytes, given: str) -> bool:
    return compare_digest(sha256(data).hexdigest(), given)


def run() -> None:
    assert spawn(digest, b"a").result() == digest(b"a")
    assert spawn(is_digest, b"a", sha256(b"a").hexdigest()).result()
    assert spawn(lambda make: make(b"a").hexdigest(), sha256).result() == sha256(b"a").hexdigest()
