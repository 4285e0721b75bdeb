"""A class implemented in C that has no declaration is refused, with the declaration that would allow it."""

import zlib

from capsend import spawn


def f(z: "zlib._Compress") -> None:
    spawn(lambda: z)  # E: captured "z"
