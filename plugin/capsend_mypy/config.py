"""The user's configuration: `[tool.capsend]` in pyproject.toml, with boundaries of other tools."""

from __future__ import annotations

import enum
import tomllib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

KEYS: Final = frozenset({"packages", "boundaries", "presets"})


class Transport(enum.Enum):
    """How a tool carries a callable to another process."""

    NAME = "pickle"
    """By its importable name; its receiver and arguments by value."""
    VALUE = "cloudpickle"
    """By value, with all its captures."""


class Boundary(NamedTuple):
    """A call of another tool that takes a callable to another process.

    Args:
        owner: the full name of the class, or of the module for a function.
        name: the method or function; for a class that is called, the name of the class.
        parameter: the parameter for the callable; "" for the first one.
        transport: how the tool carries the callable.
    """

    owner: str
    name: str
    parameter: str
    transport: Transport


PRESETS: Final[dict[str, tuple[Transport, tuple[str, ...]]]] = {
    "multiprocessing": (
        Transport.NAME,
        (
            "multiprocessing.Process:target",
            "multiprocessing.context.SpawnProcess:target",
            "multiprocessing.pool.Pool.apply",
            "multiprocessing.pool.Pool.apply_async",
            "multiprocessing.pool.Pool.map",
            "multiprocessing.pool.Pool.map_async",
            "multiprocessing.pool.Pool.imap",
            "multiprocessing.pool.Pool.imap_unordered",
            "multiprocessing.pool.Pool.starmap",
            "multiprocessing.pool.Pool.starmap_async",
        ),
    ),
    "concurrent.futures": (
        Transport.NAME,
        ("concurrent.futures.ProcessPoolExecutor.submit", "concurrent.futures.ProcessPoolExecutor.map"),
    ),
    "joblib": (Transport.VALUE, ("joblib.delayed", "loky.ProcessPoolExecutor.submit", "loky.ProcessPoolExecutor.map")),
    "ray": (Transport.VALUE, ("ray.remote", "ray.put")),
    "dask": (Transport.VALUE, ("distributed.Client.submit", "distributed.Client.map")),
}


class ConfigurationError(ValueError):
    """`[tool.capsend]` is invalid."""


class Configuration(NamedTuple):
    """The settings of `[tool.capsend]`.

    Args:
        packages: top-level packages that the image has in addition to the standard library.
        boundaries: the calls of other tools to check.
    """

    packages: frozenset[str] = frozenset()
    boundaries: tuple[Boundary, ...] = ()

    def data(self) -> list[Any]:
        """Return the configuration as data for JSON, for the key of mypy's cache."""
        return [sorted(self.packages), [[b.owner, b.name, b.parameter, b.transport.value] for b in self.boundaries]]


def load(folder: Path) -> Configuration:
    """Read the configuration of a project; empty if the project has none.

    Raises:
        ConfigurationError: a key is unknown, a value has the wrong type, a preset or a transport does not exist.
    """
    path = folder / "pyproject.toml"
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text) if "capsend" in text else {}  # searching the text is faster than parsing all of it
    except OSError:
        return Configuration()
    except ValueError as error:
        message = f"{path} cannot be read: {error}"
        raise ConfigurationError(message) from error
    table = tables.get("tool", {}).get("capsend", {})
    unknown = table.keys() - KEYS
    if unknown:
        message = f"[tool.capsend] has no key {min(unknown)!r}. Use one of {', '.join(sorted(KEYS))}."
        raise ConfigurationError(message)
    presets = [
        boundary(name, transport)
        for key in _texts(table, "presets")
        for transport, names in [_preset(key)]
        for name in names
    ]
    written = [boundary(text, Transport.NAME) for text in _texts(table, "boundaries")]
    return Configuration(frozenset(_texts(table, "packages")), (*presets, *written))


def boundary(text: str, transport: Transport) -> Boundary:
    """Return the boundary for a text such as "multiprocessing.Process:target"; an ending " by value" selects that transport."""
    if text.endswith(" by value"):
        text, transport = text.removesuffix(" by value"), Transport.VALUE
    path, _, parameter = text.partition(":")
    owner, _, name = path.strip().rpartition(".")
    if not owner or not name:
        message = (
            f"[tool.capsend] boundaries: {text!r} is no full name. Write one such as 'multiprocessing.Process:target'."
        )
        raise ConfigurationError(message)
    return Boundary(owner, name, parameter.strip(), transport)


def _preset(key: str) -> tuple[Transport, tuple[str, ...]]:
    if key not in PRESETS:
        message = f"[tool.capsend] presets: there is no preset {key!r}. Use one of {', '.join(sorted(PRESETS))}."
        raise ConfigurationError(message)
    return PRESETS[key]


def _texts(table: dict[str, Any], key: str) -> list[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        message = f"[tool.capsend] {key} must be a list of strings."
        raise ConfigurationError(message)
    return value
