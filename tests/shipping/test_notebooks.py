"""Cells of a real Jupyter kernel, and workers of `multiprocessing`: programs whose main module is another one than usual."""

from __future__ import annotations

import gc
import warnings

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq", "ignore::DeprecationWarning:jupyter_client")


def run_cells(*cells: str) -> list[str]:
    """Run cells in a fresh kernel, and return what each answers, prints or raises."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        NotebookClient(book, timeout=240, kernel_name="python3", allow_errors=True).execute()
        gc.collect()  # the client leaves sockets open, and pytest would take their warning for one of a later test
    return ["".join(map(_text, cell.outputs)).strip() for cell in book.cells]


def _text(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        return str(output.text) if output.name == "stdout" else ""
    return str(output.evalue) if output.output_type == "error" else str(output.data["text/plain"])


def test_classes_and_functions_of_a_notebook_travel(template):
    """This includes classes without methods, whose text only the kernel has; of several definitions the last one that ran counts."""
    answers = run_cells(
        "from dataclasses import dataclass\nimport enum\nimport attrs\nfrom capsend import Address, Mailbox, spawn",
        "@dataclass(frozen=True)\nclass Point:\n    x: int\nspawn(lambda: Point(3)).result().x",
        "class Wrong(Exception): pass\ndef bad(): raise Wrong('x')\ntry: spawn(bad).result()\nexcept Wrong as e: print(repr(e))",
        "class Color(enum.Enum):\n    RED = 1\nspawn(lambda: Color.RED).result() is Color.RED",
        "@attrs.frozen\nclass Get:\n    reply: Address[int]\n"
        "def server(inbox: Mailbox[Get]):\n    for message in inbox: message.reply.send(42)\n"
        "server_process = spawn(server); server_process.call(Get, timeout=60)",
        "@dataclass(frozen=True)\nclass Point:\n    y: int\nspawn(lambda: Point(4)).result().y",
        "total = 0\ndef add(n):\n    global total\n    total += n\nspawn(add, 1)",
    )
    assert answers[:-1] == ["", "3", "Wrong('x')", "True", "42", "4"]
    assert '"total" is assigned in add' in answers[-1]


def test_class_of_an_old_cell_that_ran_again_is_the_one_sent(template):
    """A kernel names a cell by its text, so the newest cell need not be the one that ran last."""
    first, second = "class Point:\n    x = 1", "class Point:\n    y = 2"
    answers = run_cells("from capsend import spawn", first, second, first, "spawn(lambda: Point.x).result()")
    assert answers[-1] == "1"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_main_script_spawns_inside_a_worker_of_multiprocessing(run_script, method):
    """There the main module is called `__mp_main__`."""
    done = run_script(
        f"""
        import enum
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        from dataclasses import dataclass

        from capsend import spawn

        OFFSET = 1

        class Color(enum.Enum):
            RED = 1

        @dataclass(frozen=True)
        class Point:
            x: int

        def one(point):
            return point.x + OFFSET, Color.RED, Point(5)

        def work(n):
            number, color, point = spawn(one, Point(n)).result(60)
            return number, color is Color.RED, point == Point(5)

        if __name__ == "__main__":
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context({method!r})) as pool:
                print(pool.submit(work, 1).result(120))
        """
    )
    assert done.stdout == "(2, True, True)\n", done.stderr
