"""`@process_send`, and the trait as a base, are asserted at the class: at the field that spoils it."""

import threading
from dataclasses import dataclass
from typing import Final

from capsend import ProcessSend, process_send


@process_send
class Asserted:
    def __init__(self) -> None:
        self.n: Final = 1
        self.lock: Final = threading.Lock()  # E: field "Asserted.lock" is lock, which is not ProcessSend  [capsend-impl]


@process_send
@dataclass
class Mutable:  # E: class "Mutable" is Mutable, which is not ProcessSend  [capsend-impl]
    n: int


class Nominal(ProcessSend):
    def __init__(self) -> None:
        self.xs: Final = [1]  # E: field "Nominal.xs" is list[int]
