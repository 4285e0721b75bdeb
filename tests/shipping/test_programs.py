"""Programs as they are started and stored: whatever a file looks like and however it is run, its functions can be sent."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import zipfile
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

BODY: Final = """\
import capsend
K = 4
class P:
    def __init__(self, x): self.x = x
    def g(self): return self.x * K
def f(n): return P(n).g(), __name__
"""
MAIN: Final = (
    BODY
    + """
if __name__ == "__main__":
    print(capsend.spawn(f, 2).result(60), capsend.spawn(lambda: f(3)).result(60))
"""
)
BOTH: Final = "(8, '__main__') (12, '__main__')"


def run(folder: Path, files: dict[str, str | bytes], *command: str) -> str:
    """Write files, run Python among them and return its output."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=200, check=False
    )
    return done.stdout + done.stderr


def test_package_run_with_dash_m(tmp_path: Path) -> None:
    """`python -m package` runs `__main__` of a package, with relative imports."""
    main = (
        "from . import V\nfrom .h import h\n"
        + BODY
        + "print(capsend.spawn(lambda: (f(2), V, h(), __package__)).result(60))\n"
    )
    files = {
        "pkg/__init__.py": "V = 1\n",
        "pkg/__main__.py": main,
        "pkg/h.py": "from . import V\ndef h(): return V + 1\n",
    }
    assert "((8, '__main__'), 1, 2, 'pkg')" in run(tmp_path, files, "-m", "pkg")


def test_module_run_with_dash_m(tmp_path: Path) -> None:
    """`python -m package.module` runs a module as `__main__`."""
    assert BOTH in run(tmp_path, {"pkg/__init__.py": "", "pkg/mod.py": MAIN}, "-m", "pkg.mod")


@pytest.mark.parametrize(
    "call", ['run_path("s.py", run_name="__main__")', 'run_module("s", run_name="__main__", alter_sys=True)']
)
def test_module_run_by_runpy(tmp_path: Path, call: str) -> None:
    """Code run by `runpy` has globals that belong to no module."""
    assert BOTH in run(tmp_path, {"s.py": MAIN, "r.py": f"import runpy\nrunpy.{call}\n"}, "r.py")


def test_functions_of_a_zip_file(tmp_path: Path) -> None:
    """The loader of a module gives its source."""
    with zipfile.ZipFile(tmp_path / "lib.zip", "w") as archive:
        archive.writestr("zmod.py", BODY)
    script = (
        'import sys; sys.path.insert(0, "lib.zip")\nimport capsend, zmod\nprint(capsend.spawn(zmod.f, 2).result(60))\n'
    )
    assert "(8, 'zmod')" in run(tmp_path, {"s.py": script}, "s.py")


FILES: Final[dict[str, bytes]] = {
    "Windows line ends": MAIN.replace("\n", "\r\n").encode(),
    "a byte order mark": b"\xef\xbb\xbf" + MAIN.encode(),
    "an encoding of its own": b"# -*- coding: latin-1 -*-\n# \xe9\xfc\n" + MAIN.encode(),
    "form feeds": MAIN.replace("class P", "\x0cclass P").replace("def f", "\x0c\n\x0cdef f").encode(),
    "no line end at its end": MAIN.rstrip().encode(),
    "tabs": MAIN.replace("    ", "\t").encode(),
}


@pytest.mark.parametrize("form", FILES)
def test_a_file_may_look_like_anything_that_python_takes(tmp_path: Path, form: str) -> None:
    """Lines, columns and encodings are those that Python sees."""
    assert BOTH in run(tmp_path, {"s.py": FILES[form]}, "s.py")


def test_optimized_programs_have_no_asserts_inside_either(tmp_path: Path) -> None:
    """`python -O` counts for the code that is sent, too."""
    script = """\
        import capsend
        def f(x):
            assert x == 2
            return "debug" if __debug__ else "optimized"
        print(capsend.spawn(f, 1).result(60))
        """
    assert run(tmp_path, {"s.py": textwrap.dedent(script)}, "-O", "s.py") == "optimized\n"


def test_lambdas_without_columns_are_found_by_what_they_are(tmp_path: Path) -> None:
    """`-X no_debug_ranges` leaves only lines."""
    assert BOTH in run(tmp_path, {"s.py": MAIN}, "-X", "no_debug_ranges", "s.py")


def test_a_command_line_has_source_from_python_3_13_on(tmp_path: Path) -> None:
    """`python -c` keeps its text since 3.13; before, the refusal says what to do."""
    printed = run(tmp_path, {}, "-c", "import capsend\ndef f(): return 11\nprint(capsend.spawn(f).result(60))")
    assert ("11" if sys.version_info >= (3, 13) else "Instead: put it into a file") in printed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def __eq__(self, o): return True", "def __eq__(self, o): return False"),
        ("class A", "import os\nclass A"),
    ],
)
def test_a_class_whose_file_has_changed_is_refused(tmp_path: Path, before: str, after: str) -> None:
    """The process would run another method than the host, even if only an operator calls it."""
    module = "class A:\n    def m(self): return 1\n    def __eq__(self, o): return True\n    __hash__ = None\n"
    script = f"""\
        import m, capsend, pathlib
        pathlib.Path("m.py").write_text({module.replace(before, after)!r})
        try:
            print(capsend.spawn(lambda: m.A() == m.A()).result(60))
        except capsend.CaptureError as error:
            print(error)
        """
    printed = run(tmp_path, {"m.py": module, "s.py": textwrap.dedent(script)}, "s.py")
    assert "the file has changed since it was imported" in printed


def test_rewritten_asserts_are_no_change(tmp_path: Path) -> None:
    """Pytest's rewritten asserts stay on the host; the process gets the asserts of the source."""
    script = """\
        import capsend, pytest
        class P:
            def check(self, x):
                assert x in (1, 2) and x != 5, "m"
                return True
        def helper(x):
            assert x == 1
            return P().check(x)
        def test_a():
            def inner():
                assert helper(1)
                return [helper(i) for i in (1, 1)]
            assert capsend.spawn(inner).result(60) == [True, True]
            with pytest.raises(AssertionError):
                capsend.spawn(helper, 7).result(60)
        """
    printed = run(tmp_path, {"test_x.py": textwrap.dedent(script)}, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert "1 passed" in printed


def test_classes_of_a_doctest_without_methods(tmp_path: Path) -> None:
    """A class of a doctest without methods is found among the examples."""
    module = '''\
        """
        >>> import dataclasses
        >>> from capsend import spawn
        >>> @dataclasses.dataclass(frozen=True)
        ... class P:
        ...     x: int
        >>> p = P(3)
        >>> spawn(lambda: p.x).result(60)
        3
        """
        '''
    assert run(tmp_path, {"d.py": textwrap.dedent(module)}, "-m", "doctest", "d.py") == ""


def test_cells_of_a_notebook_that_define_a_class_again(tmp_path: Path) -> None:
    """The newest cell counts, with and without methods."""
    script = """\
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        def cell(text):
            result = shell.run_cell(text)
            assert result.success, result
            return result.result
        cell("import capsend\\nclass A:\\n    v = 1")
        first = cell("capsend.spawn(lambda: A.v).result(60)")
        cell("class A:\\n    v = 2\\n    def m(self): return self.v")
        print("values", first, cell("capsend.spawn(lambda: A().m()).result(60)"))
        """
    assert "values 1 2" in run(tmp_path, {"s.py": textwrap.dedent(script)}, "s.py")
