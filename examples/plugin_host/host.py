"""A plug-in host: untrusted programs, each in a process that may use only the functions and the file that this program passes.

Run it: python examples/plugin_host/host.py
"""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any, TypeAlias

import attrs

from capsend import Dir, Environment, HostFunction, host_function

HERE = Path(__file__).parent.resolve()
PRICES = {"tea": Decimal("3.20"), "coffee": Decimal("4.50")}
Given: TypeAlias = HostFunction[..., Decimal] | HostFunction[..., int] | PurePath
CONSTRAINED = Environment(memory=128 << 20, timeout=5, output=10_000, stdout=None, stderr=None)


class Shop:
    """The state that plug-ins work with: it stays in the host, and plug-ins use it through host functions."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, int]] = []
        self._lock = threading.Lock()

    def order(self, sku: str, count: int) -> int:
        """Place an order; return its number."""
        if sku not in PRICES or not 0 < count <= 10:
            raise ValueError(f"no such order: {count} x {sku[:20]}")
        with self._lock:
            self.orders.append((sku, count))
            return len(self.orders)


@host_function
def price(sku: str) -> Decimal:
    """Return the price of an item."""
    return PRICES[sku]


@attrs.frozen
class Outcome:
    """The outcome of one plug-in."""

    plugin: str
    reason: str
    text: str


def run_inside(source: str, name: str, given: dict[str, Given]) -> str:
    """Run a plug-in. Only this function compiles its code, and it runs in a process."""
    namespace: dict[str, Any] = {"__name__": name, **given}
    exec(compile(source, f"{name}.py", "exec"), namespace)  # noqa: S102 - in a process that holds no other capabilities
    return repr(namespace["main"]())[:60]


def run_all(folder: Path, shop: Shop) -> list[Outcome]:
    """Run all plug-ins of a folder in parallel, and return their outcomes."""
    given: dict[str, Given] = {
        "price": price.limited(calls=100),
        "order": HostFunction(shop.order).limited(calls=3, timeout=2),
        "notes": Dir(HERE / "notes") / "today.txt",
    }
    started = {}
    for path in sorted(folder.glob("*.py")):
        # The host handles the source as text only: it imports and compiles none of it.
        started[path.stem] = CONSTRAINED.spawn(run_inside, path.read_text(encoding="utf-8"), path.stem, given)
    outcomes = []
    for name, process in started.items():
        try:
            text = str(process.result())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plug-in may raise any exception
            text = f"{type(error).__name__}: {error}"
        outcomes.append(Outcome(name, str(process.exit_reason), text.splitlines()[0][:100]))
    return outcomes


def main() -> None:
    """Run the plug-ins beside this file and print their outcomes."""
    shop = Shop()
    for outcome in run_all(HERE / "plugins", shop):
        print(f"{outcome.plugin:12} {outcome.reason:8} {outcome.text}")
    print(f"orders: {shop.orders}")


if __name__ == "__main__":
    main()
