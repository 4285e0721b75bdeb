"""Runs programs on the host and by `spawn`, and writes down what came of each; the main program of a fresh interpreter.

python runner.py FOLDER OUT.json NAME,NAME,... [NAME,NAME,...]

Those of the second list go as far as their texts.
"""

from __future__ import annotations

import contextlib
import enum
import gc
import hashlib
import importlib
import json
import re
import signal
import sys
import traceback
import types
from pathlib import Path
from typing import Any

import capsend
from capsend import CaptureError, Environment, SerializationError
from capsend.environment import prepare

ENVIRONMENT = Environment(timeout=20, stdout=None, stderr=None)
ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


class Escape(BaseException):
    """Carries a row out of the program's own `main`."""


def show(value: object, depth: int = 0) -> str:
    """Return a value as text that is the same under every hash seed and at every address."""
    cls = type(value)
    if depth > 8:
        return "..."
    if cls in {tuple, list}:
        return f"{cls.__name__}({', '.join(show(item, depth + 1) for item in value)})"  # type: ignore[attr-defined]
    if cls in {set, frozenset}:
        return f"{cls.__name__}({', '.join(sorted(show(item, depth + 1) for item in value))})"  # type: ignore[attr-defined]
    if cls is dict:
        return f"dict({', '.join(f'{show(k, depth + 1)}: {show(v, depth + 1)}' for k, v in value.items())})"  # type: ignore[attr-defined]
    if isinstance(value, type | types.FunctionType):
        return f"{cls.__name__} {value.__module__}.{value.__qualname__}"
    try:
        text = ADDRESS.sub("0x", repr(value))
    except Exception as error:
        text = f"repr fails: {type(error).__name__}"
    if isinstance(value, enum.Enum):
        fields = sorted((k, show(v, depth + 1)) for k, v in vars(value).items() if not k.startswith("_"))
        return f"{cls.__qualname__} {text} {fields}"
    return f"{cls.__qualname__} {text}"


class Timeout(BaseException):
    pass


def alarm(*_: object) -> None:
    raise Timeout


def outcome(call: Any) -> str:
    """Return how a call ends, as text."""
    try:
        value = call()
    except Exception as error:
        return f"raises {type(error).__qualname__}: {ADDRESS.sub('0x', str(error))}"
    return show(value)


def judge(function: Any, args: tuple[Any, ...], *, only_prepare: bool) -> dict[str, Any]:
    """Return the row of one spawn."""
    try:
        prepared = prepare(ENVIRONMENT, function, args, {})
    except (CaptureError, SerializationError) as error:
        return {"class": "refused", "why": str(error), "findings": [f.kind.value for f in error.findings]}
    except Exception as error:
        return {"class": "raw error", "why": "".join(traceback.format_exception(error))[-3000:]}
    row: dict[str, Any] = {"digest": hashlib.sha256(prepared.shipment.program.encode()).hexdigest()}
    if only_prepare:
        return row | {"class": "accepted"}
    process = prepared.start()
    host = outcome(lambda: function(*args))
    caught: list[BaseException] = []

    def inside_call() -> Any:
        try:
            return process.result()
        except BaseException as error:
            caught.append(error)
            raise

    inside = outcome(inside_call)
    row |= {"host": host, "inside": inside}
    cause = str(caught[0].__cause__) if caught else ""
    if host == inside:
        again = outcome(lambda: function(*args))
        return row | {"class": "equal"} if again == host else row | {"class": "lost", "again": again}
    if caught and isinstance(caught[0], CaptureError | SerializationError):
        return row | {"class": "late", "why": str(caught[0])}
    return row | {"class": "fails inside" if caught and not host.startswith("raises") else "differs", "why": cause}


def run(name: str, *, only_prepare: bool) -> dict[str, Any]:
    """Import one program, let it spawn, and return its row."""
    signal.signal(signal.SIGALRM, alarm)
    signal.alarm(30)
    try:
        module = importlib.import_module(name)

        spawns = iter(range(vars(module).get("SPAWNS", 1)))

        def stand_in(function: Any, /, *args: Any) -> None:
            vars(module)["spawn"] = capsend.spawn
            if next(spawns) < vars(module).get("SPAWNS", 1) - 1:
                with contextlib.suppress(CaptureError, SerializationError):
                    prepare(ENVIRONMENT, function, args, {})
                vars(module)["spawn"] = stand_in
                return
            raise Escape(judge(function, args, only_prepare=only_prepare))

        vars(module)["spawn"] = stand_in
        module.main()
    except Escape as escape:
        found: dict[str, Any] = escape.args[0]
        return found
    except Timeout:
        return {"class": "timeout"}
    except Exception as error:
        return {"class": "invalid", "why": f"{type(error).__name__}: {error}"}
    finally:
        signal.alarm(0)
        for each in [each for each in sys.modules if each.startswith(name)]:
            del sys.modules[each]
    return {"class": "invalid", "why": "it does not spawn"}


def main() -> None:
    """Run the programs of a range."""
    folder, out, *lists = sys.argv[1:]
    sys.path.insert(0, folder)
    gc.disable()  # there are syntax trees by the thousand: looking for cycles takes a tenth of the time
    rows = {
        name: run(name, only_prepare=place == 1)
        for place, names in enumerate(lists)
        for name in filter(None, names.split(","))
    }
    Path(out).write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
