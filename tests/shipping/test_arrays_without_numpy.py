"""Arrays of numpy for a process whose image has no numpy: refused before it starts."""

from __future__ import annotations

import numpy as np
import pytest

from capsend import SerializationError
from capsend.shipping.ship import ship


@pytest.mark.parametrize("value", [np.zeros(3), np.float64(1), [np.zeros(3)], {"a": np.zeros(3)}, np.dtype("f8")])
def test_array_is_refused_where_the_image_has_no_numpy(value: object) -> None:
    """With the way to get it there."""
    with pytest.raises(SerializationError, match=r'value of numpy.*(?s:.)*Image\(packages=\["numpy"\]\)'):
        ship(repr, (value,), {}, knows=lambda name: name.partition(".")[0] != "numpy")


def test_array_is_shipped_where_the_image_has_numpy() -> None:
    """Its bytes beside the text."""
    shipment = ship(repr, (np.zeros(10_000),), {}, knows=lambda _: True)
    assert sum(map(len, shipment.segments)) == 80_000
