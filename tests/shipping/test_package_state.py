"""The state of instances that packages hold is compared by texts, which are equal where the state is."""

from __future__ import annotations

import functools
import re
import sys
import types
from typing import Any

import pytest

import capsend
from capsend.shipping.captures.origins import Origins
from capsend.shipping.package_state import TooLarge, changed_field, data_of, put_data, state_of


class Setting:
    """An instance with all kinds of parts, the last of which leads back to it."""

    def __init__(self) -> None:
        self.level = 1
        self._parsed: object = None
        self.rows: list[object] = [1, "a", (None, 2.5)]
        self.names = {"b", "a"}
        self.call = functools.partial(max, 3, default=0)
        self.pattern = re.compile("a+", re.IGNORECASE)
        self.kind, self.module, self.method = int, re, "a".upper
        self.me = self


def test_equal_states_have_no_field_that_differs() -> None:
    """Two instances made alike have the same texts."""
    assert changed_field(state_of(Setting()), state_of(Setting())) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("level", 2), ("rows", [1]), ("names", {"a"}), ("kind", str), ("call", functools.partial(max, 4)), ("new", 0)],
)
def test_a_field_that_was_assigned_differs(field: str, value: object) -> None:
    """The first field whose content is another one is named."""
    changed = Setting()
    setattr(changed, field, value)
    assert changed_field(state_of(Setting()), state_of(changed)) == field


def test_a_change_deep_inside_is_seen() -> None:
    """The content of a field counts."""
    changed = Setting()
    changed.rows.append(4)
    assert changed_field(state_of(Setting()), state_of(changed)) == "rows"


def test_a_private_field_that_is_filled_is_a_result_that_was_kept() -> None:
    """Instances find things out when they are first used; a private field that is emptied again is a change."""
    filled = Setting()
    filled._parsed = ("a", 1)
    assert changed_field(state_of(Setting()), state_of(filled)) is None
    assert changed_field(state_of(filled), state_of(Setting())) == "_parsed"


def test_a_state_of_too_many_parts_is_not_compared() -> None:
    """Such an instance does not go by its name."""
    large = Setting()
    large.rows = [(number,) for number in range(30_000)]
    with pytest.raises(TooLarge):
        state_of(large)


def test_plain_data_is_put_into_the_same_objects() -> None:
    """Atoms replace atoms; a private list keeps its identity, and a public one that others hold is left as it is."""
    host, guest = Setting(), Setting()
    host.level, host.names, host._parsed = 2, {"c"}, [1]
    guest._parsed = held = [0]
    shared = [guest.names]
    for field, text in data_of(host).items():
        put_data(guest, field, text)
    assert (guest.level, guest._parsed, guest.names) == (2, [1], {"a", "b"})
    assert guest._parsed is held
    assert guest.names is shared[0]
    del shared
    put_data(guest, "names", data_of(host)["names"])
    assert guest.names == {"c"}


def test_data_that_holds_lists_in_lists_is_not_plain() -> None:
    """Nobody knows who else holds those."""
    nested = Setting()
    nested.rows = [[1]]
    assert "rows" not in data_of(nested)
    assert "rows" in data_of(Setting())
    assert "call" not in data_of(nested)


def test_entries_of_dicts_are_left_out_of_what_is_each_process_s_own() -> None:
    """They may be results that it has kept."""
    large = Setting()
    large.rows = [dict.fromkeys(range(30_000))]
    assert changed_field(state_of(large, is_own=True), state_of(large, is_own=True)) is None


def test_private_fields_without_plain_data_are_left_out_of_what_is_each_process_s_own() -> None:
    """They may hold helpers that remember the last call."""
    used, fresh = Setting(), Setting()
    used._parsed, fresh._parsed = Setting(), Setting()
    used._parsed.level = 9
    assert changed_field(state_of(fresh), state_of(used)) == "_parsed"
    assert changed_field(state_of(fresh, is_own=True), state_of(used, is_own=True)) is None


def package(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A package of the image that holds an instance of one of its classes."""
    module: Any = types.ModuleType("some_package")
    module.Sentinel = type("Sentinel", (), {"__module__": "some_package"})
    module.SKIP = module.Sentinel()
    monkeypatch.setitem(sys.modules, "some_package", module)
    return module


def test_an_instance_of_a_package_in_the_image_goes_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one that a module holds has a name, and only where the image has that module."""
    module = package(monkeypatch)
    in_image = Origins(knows=lambda name: name == "some_package")
    assert in_image.package_name_of(module.SKIP) == ("some_package", "SKIP")
    assert in_image.package_name_of(module.Sentinel()) is None
    assert Origins(knows=lambda _: False).package_name_of(module.SKIP) is None


def test_an_instance_of_a_package_in_the_image_is_sent_by_name_with_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step with the instance's name is followed by the step that compares its state."""
    from capsend.shipping.ship import ship

    skip = package(monkeypatch).SKIP
    skip.level = 3
    sent = ship(lambda: skip, (), {}, knows=lambda name: name == "some_package" or capsend.Image().knows(name))
    assert '["n","some_package","SKIP"]' in sent.program
    assert '"some_package.SKIP",{"":"","level":"int 3"}' in sent.program
