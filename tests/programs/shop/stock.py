"""The remaining stock."""

DISCOUNT = 0
_lock_needed_by_nobody_inside = __import__("threading").Lock()


def discount() -> int:
    """Return the discount."""
    return DISCOUNT


def reserve() -> int:
    """Return what is kept back."""
    return 1


def locked() -> int:
    """Use a lock, which cannot be sent."""
    with _lock_needed_by_nobody_inside:
        return 1
