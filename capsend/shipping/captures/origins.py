"""The origin of code: the image, the user's program, or neither; and the image's name for it."""

from __future__ import annotations

import enum
import functools
import importlib.util
import os
import site
import sys
import sysconfig
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from capsend_traits import absent, wording

from capsend.codec.instances import defines, is_a
from capsend.source.modules import loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_API: Final = "capsend"
_ALIAS: Final = "PerProcess"
_EVERYWHERE: Final = frozenset({_API, "attr", "attrs", "typing_extensions"})
_NETWORKED: Final = frozenset(
    (
        "aiohttp", "asyncpg", "boto3", "botocore", "elasticsearch", "httpcore", "httpx", "kafka", "paramiko", "pika", "psycopg", "psycopg2",
        "pymongo", "pymysql", "redis", "requests", "urllib3", "websocket", "websockets",
    )
)  # fmt: skip
"""Packages that are useless without a network."""
MAIN: Final = frozenset({"__main__", "__mp_main__"})
"""The names of the main script, in the program and in workers of `multiprocessing`."""
_SETUPTOOLS: Final = frozenset(f"{folder}/setuptools/" for folder in map(sysconfig.get_path, ("purelib", "platlib")))
"""It replaces `distutils` with its own copy."""
_PUBLIC: Final = frozenset({"capsend.exceptions", "capsend.mailbox", "capsend.mailbox.timers", "capsend.wasm.module"})
_INTERNALS: Final = ("capsend.", "capsend_traits", "capsend_mypy")


class Origin(enum.Enum):
    """The origin of a module's code, as a process sees it."""

    IMAGE = "the image has it"
    USER = "it is sent with the program"
    MISSING = "neither"


class Origins:
    """Finds the origin of modules.

    Args:
        knows: returns whether the image has the module of a full name.
        own: the top-level package of the spawned function: it counts as the user's even if it is installed.
    """

    def __init__(self, *, knows: Callable[[str], bool], own: str = "") -> None:
        self._knows = knows
        self._own = own
        self._known: dict[str, Origin] = {}
        self.packages: set[str] = set()
        """The packages of the image that the walk met, except those of every image."""

    def of(self, name: str, file: str | None = None) -> Origin:
        """Return the origin of a module, by its full name and by its file, if any."""
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._decide(name, file)
        return known

    def _decide(self, name: str, file: str | None) -> Origin:
        top = name.partition(".")[0]
        if name in MAIN:
            return Origin.USER
        if shadows_library(name, file):
            return Origin.MISSING
        if name == _API or self._knows(name):
            if top not in sys.stdlib_module_names and top not in _EVERYWHERE:
                self.packages.add(top)
            return Origin.IMAGE
        if top == _API:
            return Origin.MISSING
        if top == self._own:
            return Origin.USER
        if top in sys.stdlib_module_names or top in sys.builtin_module_names:
            return Origin.MISSING
        if file is None:
            file = getattr(loaded(name), "__file__", None) or _file_to_import(top)
        if file is None:
            # Notebooks, doctests and namespace packages have no file; a module of C code without one is built in.
            return Origin.USER if sys.modules.get(name) is None or _is_open(sys.modules[name]) else Origin.MISSING
        return Origin.USER if file.endswith((".py", ".pyc")) and not file.startswith(_installed()) else Origin.MISSING

    def has(self, name: str) -> bool:
        """Return whether the image has a module of that full name."""
        return self._knows(name)

    def library_cure(self, file: str) -> str:
        """Return the cure for code of an installed distribution, which its user does not edit; empty for other code."""
        if not file or file.startswith("<") or sys.platform == "wasi":
            return ""
        distribution = _library(file)
        # The programs of `capsend demo` and `doctor` are installed with capsend but count as user code.
        is_own = distribution.replace("-", "_").lower() in {self._own.lower(), "capsend"}
        return missing_module_cure(distribution) if distribution and not is_own else ""

    def package_name_of(self, instance: object) -> tuple[str, str] | None:
        """Return (module, name) under which a package of the image holds an instance of a class of that package; None if none does."""
        if self.of(str(type(instance).__module__)) is not Origin.IMAGE:
            return None
        shown = _shown_by_package(instance)
        return next((each for each in shown if self.of(each[0]) is Origin.IMAGE), None)

    def package_cure(self, instance: object) -> str:
        """Return the cure for an instance that an installed package holds and its user cannot change; empty for others."""
        if (named := self.package_name_of(instance)) is not None:
            return wording.PACKAGE_STATE_CURE.format(name=".".join(named))
        home = loaded(str(type(instance).__module__))
        if not self.library_cure(str(getattr(home, "__file__", None) or "")):
            return ""
        files = (str(getattr(loaded(module), "__file__", None) or "") for module, _ in _shown_by_package(instance))
        return next(filter(None, map(self.library_cure, files)), "")

    def name_of(self, thing: object) -> tuple[str, str] | None:
        """Return the image's (module, qualified name) for a function, class or other named object; None if the image lacks it."""
        for module_name, qualname in _claims(thing):
            module = loaded(module_name)
            if module is None or self.of(module_name) is not Origin.IMAGE:
                continue
            if resolve(module, qualname) is thing:
                return module_name, qualname
        return None


def is_placeholder(value: object) -> bool:
    """Return whether a value is a placeholder, in a process, for an object that stayed on the host; code must not use it."""
    return defines(type(value), "__capsend_unsent__")


def resolve(module: types.ModuleType, qualname: str) -> object:
    """Follow a dotted name from a module through classes without running user descriptors.

    Returns:
        The object; None if the name leads nowhere.
    """
    found: object = module
    for part in qualname.split("."):
        if is_placeholder(found):
            return None
        if is_a(found, types.ModuleType):
            found = vars(found).get(part)
        elif is_a(found, type):
            attribute = next((vars(base)[part] for base in found.__mro__ if part in vars(base)), None)
            found = (
                getattr(found, part, None)
                if isinstance(attribute, types.ClassMethodDescriptorType | classmethod)
                else attribute
            )
            found = found.__func__ if is_a(found, staticmethod) else found
        else:
            return None
    return found


_native_code: Final[list[Callable[[str], str]]] = []


def register_native_code(ask: Callable[[str], str]) -> None:
    """Register the test for packages that no image can hold, used in cures. `capsend.image`, a higher layer, registers it.

    Args:
        ask: returns the name of the distribution with native code that excludes a distribution from images; empty if
            none does.
    """
    _native_code[:] = [ask]


@functools.lru_cache(maxsize=4096)
def _library(file: str) -> str:
    """Return the distribution that a file belongs to, among those installed in its import folder; empty if none."""
    import importlib.metadata

    path = Path(file)
    while (path.parent / "__init__.py").exists():
        path = path.parent
    top, folder = path.name.removesuffix(".py"), str(path.parent)
    for distribution in importlib.metadata.distributions(path=[folder]):
        listed = distribution.read_text("top_level.txt")
        tops = listed.split() if listed else {each.parts[0].removesuffix(".py") for each in distribution.files or ()}
        if top in tops:
            return distribution.name
    return ""


def missing_module_cure(name: str) -> str:
    """Return the cure for a module that the image lacks: the way to add it, or an alternative if no image can hold it."""
    top = name.partition(".")[0]
    if shadows_library(top):
        return wording.shadowing_cure(top)
    if top in sys.stdlib_module_names:
        return absent.cure(top)
    distribution = _distribution(top)
    if top in _NETWORKED:
        return f"a process has no network: call {top} in a function of the host, made with @host_function, and capture that"
    if culprit := next((found for ask in _native_code if (found := ask(distribution))), ""):
        why = "it has native code" if culprit == distribution else f"it requires {culprit}, which has native code"
        return f"call it in the host, in a function made with @host_function: {why}, and no image can hold that"
    return f'add it to the image: Environment(image=Image(packages=["{distribution}"]))'


def _distribution(top: str) -> str:
    import importlib.metadata

    try:
        return importlib.metadata.distribution(
            top
        ).name  # most distributions have the name of their package, and a search through all of them takes seconds
    except importlib.metadata.PackageNotFoundError:
        pass
    names = distributions().get(top)
    return names[0] if names else top


def distributions() -> Mapping[str, list[str]]:
    """Return {top-level name: distributions that have it}.

    The search takes seconds and is repeated only after an installation.
    """
    return _scanned(tuple((folder, _changed(folder)) for folder in sys.path))


@functools.lru_cache(maxsize=1)
def _scanned(_folders: tuple[tuple[str, int], ...]) -> Mapping[str, list[str]]:
    import importlib.metadata

    return importlib.metadata.packages_distributions()


def _changed(folder: str) -> int:
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


def _file_to_import(top: str) -> str | None:
    """Return the file of a package that is not imported, without importing the package."""
    if top in sys.modules:
        return None
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None
    return spec.origin if spec is not None and spec.has_location else None


def _is_open(module: types.ModuleType) -> bool:
    return getattr(module, "__spec__", None) is None or module.__spec__.origin != "built-in"  # type: ignore[union-attr]  # checked on the left


def shadows_library(name: str, file: str | None = None) -> bool:
    """Return whether a user module hides one of the standard library: its name, or the module that importing its name would load."""
    top = name.partition(".")[0]
    if top not in sys.stdlib_module_names or sys.platform == "wasi":
        return False
    if top != name or file is None:
        file = getattr(loaded(top), "__file__", None) or _file_to_import(top)
    return file is not None and file.endswith((".py", ".pyc")) and not file.startswith(_library_folders())


@functools.cache
def _library_folders() -> tuple[str, ...]:
    # A program frozen into one file has the library next to its own code.
    if getattr(sys, "frozen", False):
        return ("",)
    places = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), str(Path(os.__file__).parent)}
    return tuple(
        {f"{folder}/" for place in filter(None, places) for folder in (Path(place), Path(place).resolve())}
        | _SETUPTOOLS
    )


@functools.cache
def _installed() -> tuple[str, ...]:
    paths = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib")}
    paths |= {*site.getsitepackages(), site.getusersitepackages()}
    return tuple(str(Path(path)) + "/" for path in paths if path)


_SHOWN_IN: Final = {
    "_hashlib": ("hashlib", "hmac"),
    "multiprocessing.context": ("multiprocessing",),
    "random": ("secrets",),
}
"""{module of the standard library: modules that show its functions, or methods of its instances, by names of their own}."""


def _claims(thing: Any) -> Iterator[tuple[str, str]]:
    """Yield the names that may lead to an object, the most public first."""
    api = vars(sys.modules.get(_API, types))
    if api.get(_ALIAS) is thing:
        yield _API, _ALIAS
        return
    owner = getattr(thing, "__self__", None)
    if isinstance(thing, types.BuiltinFunctionType) and isinstance(owner, types.ModuleType):
        yield owner.__name__, thing.__name__
        yield from _shown_by_library(thing, owner.__name__)
    cls = type(thing)
    if cls.__module__.startswith(_INTERNALS) or str(getattr(thing, "__module__", "")).startswith(_INTERNALS):
        # Classes that are imported on demand are public too, whether listed or not, under whatever name the program
        # imported them.
        later = api.get("_LATER", {})
        names = (*api.get("__all__", ()), *(later if isinstance(thing, type) else ()))
        for name in names:
            home = loaded(f"{_API}.{later[name]}") if name in later and name not in api else None
            if home is not None and vars(home).get(name) is thing:
                getattr(sys.modules[_API], name)  # this access binds the name
        yield from ((_API, name) for name in names if api.get(name) is thing)
        if isinstance(thing, type) and thing.__module__ in _PUBLIC:
            yield thing.__module__, thing.__qualname__
        return
    module = getattr(thing, "__module__", None)
    qualname = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None) or getattr(thing, "_name", None)
    objclass = getattr(thing, "__objclass__", None)
    if isinstance(objclass, type) and isinstance(qualname, str):
        module, qualname = (
            objclass.__module__,
            qualname if "." in qualname else f"{objclass.__qualname__}.{thing.__name__}",
        )
    elif isinstance(owner, type) and isinstance(thing, types.BuiltinFunctionType):
        module, qualname = owner.__module__, f"{owner.__qualname__}.{thing.__name__}"
    elif isinstance(thing, types.MethodType):
        yield type(owner).__module__, thing.__name__
        yield from _shown_by_library(thing, str(type(owner).__module__))
    elif isinstance(thing, types.BuiltinFunctionType) and owner is not None:
        # `random.random` is a method of a hidden instance; its module shows the method by name.
        module, qualname = type(owner).__module__, thing.__name__
    if not isinstance(qualname, str):
        owner = thing.func.__module__ if isinstance(thing, functools.partial) else cls.__module__
        # `exit` and `license` are instances of classes of another module.
        yield from _shown_by(thing, "builtins" if owner == "_sitebuiltins" else str(owner))
        return
    if not isinstance(module, str):
        module = "builtins"
    public = module.partition("._")[0].lstrip("_")
    yield from dict.fromkeys([(public, qualname), (module, qualname), ("typing", qualname), ("builtins", qualname)])
    if isinstance(thing, type) and module == "builtins":
        # `type(None)` and the class of functions claim to be built-ins; only `types` names them.
        yield from _shown_by(thing, "types")


def _shown_by(thing: object, module_name: str) -> Iterator[tuple[str, str]]:
    """Yield a module's name for an object that does not know its own name, such as `dataclasses.MISSING`."""
    module = loaded(module_name)
    yield from (
        (module_name, name) for name, value in vars(module or types).items() if value is thing and name.isidentifier()
    )


def _shown_by_library(thing: object, home: str) -> Iterator[tuple[str, str]]:
    """Yield the names under which the standard library shows a function of one of its modules, or a method of an instance there."""
    if home.partition(".")[0] in sys.stdlib_module_names:
        for name in (home, *_SHOWN_IN.get(home, ())):
            yield from _shown_by(thing, name)


def _shown_by_package(instance: object) -> Iterator[tuple[str, str]]:
    """Yield the names under which modules hold an instance of a package's class; the standard library and the main script are left out."""
    if _is_no_package(str(type(instance).__module__)):
        return
    for name, module in list(sys.modules.items()):
        if type(module) is types.ModuleType and not _is_no_package(name):
            yield from _shown_by(instance, name)


def _is_no_package(module: str) -> bool:
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top in MAIN or top == _API
