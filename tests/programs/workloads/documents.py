"""JSON round trips, with user classes on both sides."""

from __future__ import annotations

import datetime
import json
import uuid
from dataclasses import KW_ONLY, asdict, dataclass, field
from decimal import Decimal
from typing import Any

SPACE = uuid.UUID("12345678-1234-5678-1234-567812345678")
EPOCH = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Price:
    """An amount in a currency."""

    amount: Decimal
    _: KW_ONLY
    currency: str = "EUR"

    def times(self, count: int) -> Price:
        return Price(self.amount * count, currency=self.currency)


@dataclass
class Line:
    """One line of an order."""

    item: str
    price: Price
    count: int = 1
    tags: list[str] = field(default_factory=list)


@dataclass
class Order:
    """An order of several lines."""

    number: uuid.UUID
    placed: datetime.datetime
    lines: list[Line]
    notes: dict[str, Any] = field(default_factory=dict)

    def total(self) -> Price:
        amounts = [line.price.times(line.count).amount for line in self.lines]
        return Price(sum(amounts, Decimal(0)))


class Encoder(json.JSONEncoder):
    """Knows what JSON does not."""

    def default(self, o: Any) -> Any:
        match o:
            case Decimal():
                return {"$decimal": str(o)}
            case datetime.datetime():
                return {"$time": o.isoformat()}
            case uuid.UUID():
                return {"$uuid": o.hex}
            case _:
                return super().default(o)


READERS = (("$decimal", Decimal), ("$time", datetime.datetime.fromisoformat), ("$uuid", uuid.UUID))


def revive(raw: dict[str, Any]) -> Any:
    """Make again what the encoder wrote."""
    for key, read in READERS:
        if key in raw:
            return read(raw[key])
    return raw


def load(text: str) -> list[Order]:
    """Read orders."""
    orders = []
    for raw in json.loads(text, object_hook=revive):
        lines = [Line(**{**line, "price": Price(**line["price"])}) for line in raw.pop("lines")]
        orders.append(Order(lines=lines, **raw))
    return orders


def make(count: int) -> list[Order]:
    """Make orders that differ."""
    return [
        Order(
            number=uuid.uuid5(SPACE, str(index)),
            placed=EPOCH + datetime.timedelta(hours=index),
            lines=[
                Line(f"ïtem {n}", Price(Decimal(n) / 4 + index), n + 1, ["é", "\N{SNOWMAN}"] * n)
                for n in range(index % 4 + 1)
            ],
            notes={"nested": {"deep": [index, None, True, 1e300, -0.0]}, "text": "\U0001f600\x00\n"},
        )
        for index in range(count)
    ]


def run(count: int = 40) -> tuple[str, list[Order], list[Price]]:
    """Return the text, the orders read from it, and their totals."""
    orders = make(count)
    text = json.dumps([asdict(order) for order in orders], cls=Encoder, sort_keys=True)
    again = load(text)
    if again != orders:
        raise AssertionError("the round trip changed something")
    return text, again, [order.total() for order in again]
