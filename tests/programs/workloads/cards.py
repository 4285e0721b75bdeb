"""Cards of dataclasses and enums, dealt and judged without a random number."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections import defaultdict
from collections.abc import Iterator
from typing import ClassVar, Literal, Protocol, TypeAlias

Outcome: TypeAlias = Literal["left", "right", "draw"]


class Suit(enum.StrEnum):
    """The four suits."""

    CLUBS = enum.auto()
    DIAMONDS = enum.auto()
    HEARTS = enum.auto()
    SPADES = enum.auto()

    @property
    def is_red(self) -> bool:
        return self in {Suit.DIAMONDS, Suit.HEARTS}


class Rank(enum.IntEnum):
    """The ranks, of which the ace is the highest."""

    SEVEN = 7
    EIGHT = 8
    NINE = 9
    TEN = 10
    JACK = 11
    QUEEN = 12
    KING = 13
    ACE = 14


class Hand(enum.Enum):
    """The rank of a hand, with a base score and a word for each."""

    HIGH = 0, "high card"
    PAIR = 1, "a pair"
    TRIPLE = 3, "three of a kind"
    FLUSH = 5, "flush"

    def __init__(self, base: int, words: str) -> None:
        self.base = base
        self.words = words

    @classmethod
    def _missing_(cls, value: object) -> Hand | None:
        return next((hand for hand in cls if hand.words == value), None)


class Scored(Protocol):
    """Whatever has a score."""

    def score(self) -> tuple[int, int]: ...


@functools.total_ordering
@dataclasses.dataclass(frozen=True, slots=True)
class Card:
    """One card; colours are shared by the class."""

    suit: Suit
    rank: Rank
    colors: ClassVar[tuple[str, str]] = ("black", "red")

    def __lt__(self, other: Card) -> bool:
        return (self.rank, self.suit) < (other.rank, other.suit)

    @property
    def color(self) -> str:
        return self.colors[self.suit.is_red]

    def __str__(self) -> str:
        return f"{self.rank.name.title()} of {self.suit}"


@dataclasses.dataclass
class Player:
    """Somebody with cards."""

    name: str
    cards: list[Card] = dataclasses.field(default_factory=list)
    luck: dataclasses.InitVar[int] = 0
    bonus: int = dataclasses.field(init=False, default=0)

    def __post_init__(self, luck: int) -> None:
        self.bonus = luck * 2

    def hand(self) -> Hand:
        counts: defaultdict[Rank, int] = defaultdict(int)
        for card in self.cards:
            counts[card.rank] += 1
        if len({card.suit for card in self.cards}) == 1:
            return Hand.FLUSH
        return {3: Hand.TRIPLE, 2: Hand("a pair")}.get(max(counts.values()), Hand.HIGH)

    def score(self) -> tuple[int, int]:
        return self.hand().base, sum(self.cards_ranks()) + self.bonus

    def cards_ranks(self) -> Iterator[int]:
        return (int(card.rank) for card in self.cards)


def deck() -> list[Card]:
    """All cards, in an order that looks shuffled."""
    cards = [Card(suit, rank) for suit in Suit for rank in Rank]
    return [cards[index * 13 % 32] for index in range(32)]


def compare(left: Scored, right: Scored) -> Outcome:
    """Say which is higher."""
    match left.score(), right.score():
        case (a, b) if a > b:
            return "left"
        case (a, b) if a < b:
            return "right"
    return "draw"


def run(rounds: int = 50) -> tuple[list[Outcome], list[str], Player, dict[str, int], Card]:
    """Return the outcomes, the last cards, a player, counts by hand and the highest card."""
    outcomes: list[Outcome] = []
    counts: dict[str, int] = {}
    cards = deck()
    for number in range(rounds):
        cards = cards[5:] + cards[:5]
        left, right = Player("Ada", cards[0:3]), Player("Bob", cards[3:6], luck=number % 3)
        outcomes.append(compare(left, right))
        counts[left.hand().words] = counts.get(left.hand().words, 0) + 1
    return outcomes, [f"{card} ({card.color})" for card in left.cards], right, counts, max(cards)
