"""A function of the host that several files of tests grant, and calls of processes with it."""

from decimal import Decimal

from capsend import Environment, host_function

PATIENCE = 60


def result(function, *args, **limits):
    """Return the result of a function in a process with these limits."""
    return Environment(**limits).spawn(function, *args).result(timeout=PATIENCE)


def error_of(function, *args):
    """Return class and text of the exception that a function raises in a process."""
    try:
        return ("no error", repr(function(*args)))
    except Exception as error:
        return (type(error).__name__, str(error))


class OutOfStock(Exception):
    """An exception of the user's."""


@host_function
def price(sku: str, count: int = 1) -> Decimal:
    """The price of something."""
    if sku == "gone":
        raise OutOfStock(sku)
    return Decimal("1.5") * count
