"""Images with packages: what is included, what is left out, and the words of refusals.

`CAPSEND_PACKAGES=1` runs the long form: an image of much used packages, as far as they are installed, each imported in
a process.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from capsend import CaptureError, Environment, Image, ImageError
from capsend.image import bake as baking
from capsend.image import without_native
from capsend.image.image import list_images
from capsend.image.packages import collect
from capsend.shipping.captures.origins import missing_module_cure

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 120
pytestmark = pytest.mark.timeout(1_800)  # an image is built, perhaps beside much else
MUCH_USED = (
    "attrs", "beautifulsoup4", "cachetools", "certifi", "charset-normalizer", "click", "colorama", "flask", "httpx", "idna",
    "importlib-metadata", "jinja2", "jmespath", "markupsafe", "packaging", "pygments", "pyparsing", "python-dateutil", "pytz", "pyyaml",
    "requests", "rich", "six", "tomlkit", "tqdm", "typing-extensions", "urllib3", "werkzeug", "zipp",
)  # fmt: skip


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which packages can be installed by writing their files."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def install(site: Path, name: str, files: dict[str, str], requires: tuple[str, ...] = ()) -> None:
    """Write a distribution."""
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir()
    required = "".join(f"Requires-Dist: {each}\n" for each in requires)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{required}")
    for path, content in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(content)
    listed = [*files, f"{folder.name}/METADATA", f"{folder.name}/RECORD"]
    (folder / "RECORD").write_text("".join(f"{path},,\n" for path in listed))


SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]


def test_native_code_that_is_optional_is_left_out(site: Path) -> None:
    """Found out by importing the package without it."""
    source = "try:\n    from optional import fast\nexcept ImportError:\n    fast = None\n"
    install(
        site,
        "optional",
        {
            "optional/__init__.py": source,
            f"optional/fast{SUFFIX}": "",
            "optional/both.py": "",
            f"optional/both{SUFFIX}": "",
        },
    )
    packages = collect(["optional"])
    without_native.refuse_native(packages)
    (package,) = packages
    assert sorted(path.name for path in package.native) == [f"both{SUFFIX}", f"fast{SUFFIX}"]
    assert [name for name, _ in package.files if name.startswith("optional/")] == [
        "optional/__init__.py",
        "optional/both.py",
    ]


def test_native_code_that_is_needed_is_refused_with_who_asks_for_it(site: Path) -> None:
    """Before anything is built; and a cure for a missing module does not lead there."""
    install(site, "needed", {"needed/__init__.py": "from needed import core\n", f"needed/core{SUFFIX}": ""})
    install(site, "asking", {"asking/__init__.py": "import needed\n"}, requires=("needed",))
    with pytest.raises(
        ImageError,
        match=r"the package 'needed', which 'asking' requires, cannot go into an image: core\S+ is native code",
    ):
        without_native.refuse_native(collect(["asking"]))
    without_native.needs_native.cache_clear()
    assert missing_module_cure("asking") == (
        "call it in the host, in a function made with @host_function: it requires needed, which has native code, and no image can hold that"
    )
    assert "it has native code" in missing_module_cure("needed")
    assert "a process has no network" in missing_module_cure("requests")
    assert "a process has no network" in missing_module_cure("ssl")


def test_package_that_is_not_installed_is_named_with_who_asks_for_it(site: Path) -> None:
    """The pip line is for what is missing."""
    install(site, "asking", {"asking/__init__.py": ""}, requires=("no-such-package",))
    with pytest.raises(ImageError, match="'no-such-package', which 'asking' requires, is not installed"):
        collect(["asking"])


def test_words_of_a_failed_import_are_found_in_what_the_tool_wrote(site: Path) -> None:
    """Among a backtrace of the tool, and with who asks for the package."""
    install(site, "broken", {"broken/__init__.py": "1/0\n"})
    install(site, "asking", {"asking/__init__.py": ""}, requires=("broken",))
    output = (
        f'noise\nAssertionError: {baking.MARK}{{"broken": ["broken", "ZeroDivisionError: division by zero"]}}\n'
        + "frame\n" * 50
    )
    words = baking._refused(output, collect(["asking"]))
    assert words.startswith(
        "the package 'broken', which 'asking' requires, cannot be imported in a process: ZeroDivisionError: division by zero."
    )


PACKAGE = {
    "filled/__init__.py": "import ctypes, bz2\nfrom ctypes import Structure\n\n\nclass Shape(Structure):\n    _fields_ = [('x', ctypes.c_int * 2)]\n"
    "\n\n"
    "class Rounding:\n    def __init__(self):\n        self.digits = 1\n        self._modes = ['up']\n\n\n"
    "rounding = Rounding()\n\n\n"
    "class Number:\n    def shown(self):\n        return round(2 / 3, rounding.digits), rounding._modes\n",
    "filled/noisy.py": (
        "import socket, sys\nprint('imported')\nprint('imported', file=sys.stderr)\n"
        "try:\n    socket.socket()\nexcept OSError:\n    pass\n"
    ),
    "filled/settings.py": (
        "from capsend import PerProcess\n\n\n"
        "class Settings:\n"
        "    def __init__(self):\n        self.level = 1\n        self._paths = ['a']\n        self.rules = {}\n\n"
        "    def add(self, path):\n        self._paths.append(path)\n\n\n"
        "SETTINGS = Settings()\nPATHS = SETTINGS._paths\nSKIP = Settings()\nOWN: PerProcess[Settings] = Settings()\n"
    ),
    "filled/lazy.py": (
        "def twice(n):\n"
        "    def compiled(n):\n        return 2 * n\n\n"
        "    twice.__code__, twice.made = compiled.__code__, compiled\n    return twice(n)\n"
    ),
    "filled/needing.py": "import only_on_host\n\n\ndef call():\n    return only_on_host.NUMBER\n",
    "filled/asking.py": (
        "def call():\n    import only_on_host\n\n    return only_on_host.NUMBER\n\n\n"
        "def each():\n    import only_on_host\n\n    yield only_on_host.NUMBER\n\n\n"
        "def call_or_else():\n    try:\n        return call()\n    except (TypeError, AttributeError):\n        return None\n\n\n"
        "def call_if_there():\n    try:\n        return call()\n    except ImportError:\n        return None\n"
    ),
    "filled/data.txt": "text",
    "filled/deep/more.json": "[1]",
}


def look() -> dict[str, Any]:
    import importlib.resources
    import pkgutil
    from pathlib import Path

    import filled
    import filled.noisy

    root = importlib.resources.files("filled")
    with importlib.resources.open_text("filled", "data.txt") as stream:
        opened = stream.read()
    return {
        "resources": (root / "data.txt").read_text(),
        "opened": opened,
        "names": sorted(entry.name for entry in root.iterdir()),
        "deep": root.joinpath("deep", "more.json").read_bytes(),
        "missing": (root / "nothing").is_file(),
        "pkgutil": pkgutil.get_data("filled", "deep/more.json"),
        "beside": (Path(filled.__file__).parent / "data.txt").read_text(encoding="utf-8"),
        "version": importlib.metadata.version("filled"),
        "distributions": "filled" in {each.name for each in importlib.metadata.distributions()},
    }


def use_what_is_absent() -> None:
    import filled

    filled.Shape()


def import_what_is_absent() -> None:
    import importlib

    importlib.import_module("bz2")


def try_to_import_what_is_absent() -> None:
    import importlib

    try:
        importlib.import_module("bz2")
    except ImportError as error:
        raise error.with_traceback(None) from None


def connect() -> None:
    import socket

    socket.create_connection(("127.0.0.1", 1), timeout=1)


FILLED = ("filled", "sortedcontainers")
BUILD = f"from capsend.image import Image; Image(packages={FILLED}).ensure(); print('built')"


@pytest.fixture(scope="module")
def built_at_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[tuple[str, str]]]]:
    """A cache in which two programs needed the same image at the same time, and their output: the image of these tests.

    It has one package with data, optional native code, and imports that need an operating system, and one that is
    installed on the host.
    """
    site, cache = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("cache")
    install(site, "filled", PACKAGE)
    environment = os.environ | {
        "CAPSEND_CACHE_DIR": str(cache),
        "PYTHONPATH": str(site),
        "RUST_BACKTRACE": "1",
        "RUST_LIB_BACKTRACE": "1",
    }

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", BUILD]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    with start() as first, start() as second:
        written = [first.communicate(timeout=900), second.communicate(timeout=900)]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        (site / "only_on_host.py").write_text("NUMBER = 3\n")
        yield cache, written


@pytest.fixture
def filled(built_at_once: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment with that image."""
    monkeypatch.setenv("CAPSEND_CACHE_DIR", str(built_at_once[0]))
    return Environment(image=Image(packages=FILLED))


def test_programs_that_start_at_once_build_once(
    built_at_once: tuple[Path, list[tuple[str, str]]], filled: Environment
) -> None:
    """The second waits for the first, and both have it."""
    (out1, err1), (out2, err2) = built_at_once[1]
    assert (out1, out2) == ("built\n", "built\n"), err1 + err2
    assert (err1 + err2).count("building the image") == 1
    assert (err1 + err2).count("waiting for another program") == 1
    assert len(list_images()) == 1


def sort() -> list[int]:
    from sortedcontainers import SortedList

    return list(SortedList([3, 1, 2]))


def test_packages_of_this_environment_can_be_baked_in(filled: Environment) -> None:
    """And only that image has them."""
    assert filled.image.is_built
    assert filled.spawn(sort).result(PATIENCE) == [1, 2, 3]
    assert filled.image.knows("sortedcontainers.sortedlist")
    assert not Image().knows("sortedcontainers")


def test_data_and_metadata_of_a_package_go_in(filled: Environment) -> None:
    """By every way in which the standard library finds them, and that packages have of their own."""
    assert filled.spawn(look).result(PATIENCE) == {
        "resources": "text",
        "opened": "text",
        "names": ["data.txt", "deep"],
        "deep": b"[1]",
        "missing": False,
        "pkgutil": b"[1]",
        "beside": "text",
        "version": "1.0",
        "distributions": True,
    }


def test_absent_modules_can_be_imported_by_a_package_and_not_be_used(filled: Environment) -> None:
    """They are absent to all others."""
    with pytest.raises(OSError, match=r"ctypes\.Structure needs an operating system"):
        filled.spawn(use_what_is_absent).result(PATIENCE)
    with pytest.raises(ModuleNotFoundError, match="bz2"):
        filled.spawn(try_to_import_what_is_absent).result(PATIENCE)
    with pytest.raises(CaptureError, match="the image has no module bz2"):
        filled.spawn(import_what_is_absent)
    assert not filled.image.knows("ctypes")


def test_sockets_are_refused_where_a_package_tried_them_while_the_image_was_made(filled: Environment) -> None:
    """With an `OSError`, and no fault."""
    with pytest.raises(OSError, match="a process has no network"):
        filled.spawn(connect).result(PATIENCE)


@pytest.fixture
def settings(filled: Environment) -> Iterator[Any]:
    """A module of the package that holds instances, as importing it makes it."""
    assert filled.image.is_built
    module = importlib.reload(importlib.import_module("filled.settings"))
    yield module
    importlib.reload(module)


def test_instance_of_a_package_is_the_one_of_the_process(filled: Environment, settings: Any) -> None:
    """It goes by its name."""
    skip = settings.SKIP

    def is_it() -> bool:
        from filled.settings import SKIP

        return skip is SKIP

    assert filled.spawn(is_it).result(PATIENCE)


def test_plain_data_of_an_instance_of_a_package_is_that_of_the_host(filled: Environment, settings: Any) -> None:
    """In the same objects, which the package may hold elsewhere too."""
    own = settings.SETTINGS
    own.level, own.name = 7, "host"
    own.add("b")

    def look() -> tuple[Any, ...]:
        from filled.settings import PATHS

        return own.level, own.name, own._paths, PATHS is own._paths

    assert filled.spawn(look).result(PATIENCE) == look() == (7, "host", ["a", "b"], True)


def show_a_number() -> Any:
    import filled

    return filled.Number().shown()


def test_settings_of_a_package_hold_for_all_of_its_code(filled: Environment) -> None:
    """A class that reads an instance of the package's top-level module, which the function does not name, reads the data of the host."""
    rounding = importlib.import_module("filled").rounding
    assert filled.spawn(show_a_number).result(PATIENCE) == show_a_number() == (0.7, ["up"])
    rounding.digits, rounding._modes[0] = 3, "down"
    assert filled.spawn(show_a_number).result(PATIENCE) == show_a_number() == (0.667, ["down"])


def test_other_changes_of_an_instance_of_a_package_are_refused(filled: Environment, settings: Any) -> None:
    """Other code may hold the same objects."""
    own = settings.SETTINGS
    own.rules["f"] = print
    with pytest.raises(
        CaptureError,
        match=r"(?s)has changed filled\.settings\.SETTINGS\.rules since .*declare filled\.settings\.SETTINGS",
    ):
        filled.spawn(lambda: own.level).result(PATIENCE)


def test_instance_of_a_package_that_a_process_changes_is_a_lost_write(filled: Environment, settings: Any) -> None:
    """Unless it is set back before the function ends."""
    own = settings.SETTINGS

    def add(path: str) -> int:
        own.add(path)
        return len(own._paths)

    def add_and_remove(path: str) -> int:
        own.add(path)
        own._paths.remove(path)
        return len(own._paths)

    with pytest.raises(CaptureError, match=r'(?s)"filled\.settings\.SETTINGS\._paths" was changed.*set it back'):
        filled.spawn(add, "b").result(PATIENCE)
    assert filled.spawn(add_and_remove, "b").result(PATIENCE) == 1


def test_instance_of_a_package_may_be_each_process_s_own(filled: Environment, settings: Any) -> None:
    """By declaration: it has the plain data of the host, and the entries of its dicts are left to each side."""
    own = settings.OWN
    own.level, own.rules["f"] = 3, print

    def change() -> tuple[int, int]:
        own.level += 1
        return own.level, len(own.rules)

    assert filled.spawn(change).result(PATIENCE) == (4, 0)
    assert own.level == 3


def test_function_of_a_package_may_replace_its_own_code(filled: Environment, settings: Any) -> None:
    """Some are compiled when they are first called. What the program puts into it would be lost."""
    twice = importlib.import_module("filled.lazy").twice
    assert filled.spawn(lambda: (twice(4), twice(5))).result(PATIENCE) == (8, 10)

    def replace(function: Any) -> None:
        setattr(function, "__" + "code__", (lambda n: n).__code__)

    def note(function: Any) -> None:
        setattr(function, "no" + "te", 1)

    for change in (replace, note):
        with pytest.raises(CaptureError, match="was changed in the process"):
            filled.spawn(lambda change=change: change(twice)).result(PATIENCE)


def test_module_that_the_image_lacks_since_it_needs_another_package_is_refused(
    filled: Environment, settings: Any
) -> None:
    """The cure names that package."""
    import filled as package

    importlib.import_module("filled.needing")

    def import_it() -> Any:
        from filled import needing

        return needing.call()

    for function in (lambda: package.needing.call(), import_it):  # type: ignore[attr-defined]  # it is imported above
        with pytest.raises(CaptureError, match=r'no module filled\.needing(.|\n)*packages=\["only_on_host"\]'):
            filled.spawn(function)


def test_package_that_only_the_host_has_is_named_when_code_of_the_image_imports_it(
    filled: Environment, settings: Any
) -> None:
    """Also where the program catches the error; a package may provide for the failure."""
    asking = importlib.import_module("filled.asking")

    def call_somehow() -> Any:
        try:
            return asking.call()
        except Exception:
            return "no"

    for function in (lambda: asking.call(), lambda: asking.call_or_else(), call_somehow, lambda: list(asking.each())):
        with pytest.raises(CaptureError, match=r'(?s)only_on_host.*packages=\["only_on_host"\]'):
            filled.spawn(function).result(PATIENCE)
    assert filled.spawn(lambda: asking.call_if_there()).result(PATIENCE) is None


def test_build_tells_its_steps_and_its_time(tmp_path: Path) -> None:
    """And the reason of a failed import, of each package that cannot be imported."""
    install(tmp_path, "broken", {"broken/__init__.py": "1/0\n"})
    program = "from capsend import Image; Image(packages=['broken']).ensure()"
    environment = os.environ | {
        "PYTHONPATH": str(tmp_path),
        "RUST_BACKTRACE": "1",
        "RUST_LIB_BACKTRACE": "1",
        "CAPSEND_CACHE_DIR": str(tmp_path / "cache"),
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert "building the image (once, about 15 s; longer on a busy machine)" in done.stderr
    assert "importing its modules, 1 of 3 (0 s so far)" in done.stderr
    assert "the package 'broken' cannot be imported in a process: ZeroDivisionError: division by zero." in done.stderr
    assert "compiling" not in done.stderr


def attempt(names: list[str]) -> dict[str, str]:
    """Import modules, and say what is wrong with those that cannot be."""
    import importlib

    problems = {}
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException as error:
            problems[name] = f"{type(error).__name__}: {error}"
    return problems


LONG = pytest.mark.skipif(
    not os.environ.get("CAPSEND_PACKAGES"), reason="the long form: builds images of many packages"
)


@LONG
@pytest.mark.parametrize(("names", "least"), [(MUCH_USED, 20), (("networkx", "sympy"), 1)], ids=["many", "large"])
def test_much_used_packages_go_in_and_can_be_imported(names: tuple[str, ...], least: int) -> None:
    """All packages that are installed go into one image."""
    there = []
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            there.append(importlib.metadata.distribution(name).name)
    assert len(there) >= least
    packages = collect(there)
    tops = sorted({top for package in packages for top in package.imports if not top.startswith("_")})
    assert Environment(image=Image(packages=there)).spawn(attempt, tops).result(PATIENCE) == {}
