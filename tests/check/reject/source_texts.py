"""Arguments of source text are judged as those of a function are."""

import threading

from capsend import Environment, Source, spawn

source = Source("n", name="cell.py")
spawn(source, lock=threading.Lock())  # E: argument "lock" is lock, which is not Serializable
spawn(source.function("f"), threading.Lock())  # E: argument "args[0]" is lock, which is not Serializable
Environment().execute(source, lock=threading.Lock())  # E: argument "lock" is lock, which is not Serializable
