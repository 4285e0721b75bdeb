"""A package of several modules, to be spawned from."""

from .prices import price

TAX = 3


def total(names: tuple[str, ...]) -> int:
    """Sum prices, through a relative import and a submodule."""
    from . import stock

    return sum(price(name) for name in names) + TAX + stock.reserve()
