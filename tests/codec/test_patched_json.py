"""Programs that replace parts of `json`, on either side: capsend does not use the replacements."""

import json
import warnings

import pytest

from capsend import Mailbox, host_function, spawn

PATCHES = """
import json
def broken(*_args, **_named):
    raise RuntimeError("patched")
for name in ("default", "encode", "iterencode"):
    setattr(json.JSONEncoder, name, broken)
for name in ("dumps", "loads", "dump", "load"):
    setattr(json, name, broken)
json._default_encoder = json._default_decoder = None
"""


@host_function
def price(sku: str) -> tuple[str, int]:
    """Return what a thing costs; a wrong name is an error."""
    if not sku:
        raise LookupError("no such thing")
    return sku, 5


def talk(inbox: Mailbox[object], patches: str) -> list[object]:
    """Use every way of exchanging something."""
    exec(patches, {})
    warnings.warn("a warning", stacklevel=1)
    child, failing = spawn(divmod, 7, 2), spawn(divmod, 1, 0)
    inbox.monitor(failing)
    errors = []
    for attempt in (failing.result, lambda: price("")):
        try:
            attempt()
        except Exception as error:
            errors.append(type(error).__name__)
    told = sorted(type(inbox.receive(timeout=20)).__name__ for _ in range(2))
    return [child.result(), errors, price("x"), child.stats().waiting, told]


def ask(patches: str) -> object:
    """Return the answer of that function to a message."""
    with spawn(talk, patches) as p:
        p.address.send("hello")
        return p.result(timeout=60)


EXPECTED = [(3, 1), ["ZeroDivisionError", "LookupError"], ("x", 5), 0, ["Down", "str"]]


@pytest.fixture
def patched():
    """This program has changed `json`."""
    names = ("default", "encode", "iterencode")
    kept, methods = dict(vars(json)), {name: vars(json.JSONEncoder)[name] for name in names}
    exec(PATCHES, {})
    yield
    vars(json).update(kept)
    for name, method in methods.items():
        setattr(json.JSONEncoder, name, method)


@pytest.mark.parametrize("patches", ["", PATCHES], ids=["outside", "both"])
@pytest.mark.usefixtures("patched")
def test_patches_of_json_do_not_reach_the_protocol(patches):
    """Messages, notices, children, calls, warnings and errors work as ever."""
    with pytest.warns(UserWarning, match="a warning"):
        assert ask(patches) == EXPECTED


def test_patches_inside_stay_inside():
    """A process that changes its own `json` can still answer."""

    def fail(patches):
        exec(patches, {})
        raise LookupError("its own")

    with pytest.raises(LookupError, match="its own"):
        spawn(fail, PATCHES).result(timeout=60)
