"""A captured `self` brings all its fields; the cure binds the field that is used first."""

import threading

from capsend import spawn


class Service:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.n = 1

    def go(self) -> None:
        spawn(lambda: self.n)  # E: captured "self.lock" is lock, which is not ProcessSend  [capsend-capture]
        # N: self: Service has a field that is not ProcessSend: lock
        # N: Instead: bind the fields that you use before the spawn, n = self.n, and use those.
        # N: also "self" is Service
        spawn(self.work)  # E: the receiver "self.lock" is lock

    def work(self) -> None: ...


class Sub(Service):
    def go_up(self) -> None:
        spawn(super().work)  # E: the receiver "self.lock"
