"""`python -m tests.commands.terminal_picture`: draw the picture at the top of the README, of what a terminal really shows.

The file is committed, since a README on a website can show no picture that a build would have to make; a test holds it against the terminal.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import Final

from rich.style import Style
from rich.text import Text

ROOT: Final = Path(__file__).parents[2]
PICTURE: Final = ROOT / "docs" / "refused.svg"
_PROGRAM: Final = re.compile(r"```python\n(# forum\.py\n.*?)```", re.DOTALL)
_COMMANDS: Final = ("capsend check forum.py", "python forum.py")
_TRACEBACK: Final = re.compile(r"Traceback \(most recent call last\):\n(?:  .*\n)+")
_COLUMN, _LINE, _MARGIN, _SIZE = 8.4, 20, 16, 14

_COLOURS: Final = {
    "back": ("#f6f8fa", "#151b23"),
    "edge": ("#d0d7de", "#3d444d"),
    "text": ("#1f2328", "#e6edf3"),
    "red": ("#c31526", "#ff8078"),
    "yellow": ("#8a5d00", "#e3b341"),
    "blue": ("#0550ae", "#79b8ff"),
    "prompt": ("#1a7f37", "#56d364"),
}
"""{name: (colour on a light page, colour on a dark one)}; each text has a contrast of at least 4.5 to 1 to `back`."""
_OF_ANSI: Final = {1: "red", 2: "prompt", 3: "yellow", 4: "blue"}
"""{number of a terminal's colour: name}."""


def program() -> str:
    """Return the program of the README."""
    found = _PROGRAM.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def transcript(folder: Path) -> list[Text]:
    """Run the commands on a terminal, in a folder of their own; return the lines, with the traceback of one replaced by three dots."""
    (folder / "forum.py").write_text(program(), encoding="utf-8")
    lines = []
    for command in _COMMANDS:
        written = _TRACEBACK.sub("...\n", _on_a_terminal(command, folder).replace("\r\n", "\n"))
        lines += [Text(f"$ {command}", Style(color="green")), *Text.from_ansi(written.rstrip()).split()]
    return lines


def read_until_closed(terminal: int) -> str:
    """Return what is written to a terminal until its other side is closed, and close this side."""
    written = b""
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # Linux's way to say that the other side is closed
            break
        if not piece:
            break
        written += piece
    os.close(terminal)
    return written.decode()


def _on_a_terminal(command: str, folder: Path) -> str:
    first, *arguments = command.split()
    python = [sys.executable] if first == "python" else [sys.executable, "-m", first]
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "200", "PYTHON_COLORS": "0"}
    process = subprocess.Popen(
        [*python, *arguments], cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written = read_until_closed(ours)
    process.wait(timeout=60)
    return written.replace(f"{folder}{os.sep}", "")


def drawn(lines: list[Text]) -> str:
    """Return lines as SVG, with colours for light and dark pages."""
    width = round(max(len(line.plain) for line in lines) * _COLUMN + 2 * _MARGIN)
    height = len(lines) * _LINE + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        "<title>capsend refuses a captured list: when the program is type-checked, and when it runs</title>",
        (
            f"<style>\n{_rules(0)}\n@media (prefers-color-scheme: dark) {{\n{_rules(1)}\n}}\n"
            f"text {{ font: {_SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; white-space: pre; }}\n"
            ".bold { font-weight: 600; }\n</style>"
        ),
        f'<rect class="back" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
    ]
    for number, line in enumerate(lines):
        if line.plain.strip():
            parts.append(_line(line, _MARGIN + number * _LINE + _SIZE))
    return "\n".join([*parts, "</svg>", ""])


def _rules(which: int) -> str:
    colours = {name: pair[which] for name, pair in _COLOURS.items()}
    texts = [f".{name} {{ fill: {colours[name]}; }}" for name in ("red", "yellow", "blue", "prompt")]
    return "\n".join(
        [
            f".back {{ fill: {colours['back']}; stroke: {colours['edge']}; }}",
            f"text {{ fill: {colours['text']}; }}",
            *texts,
        ]
    )


def _line(line: Text, y: int) -> str:
    start = len(line.plain) - len(line.plain.lstrip())
    left, length = _MARGIN + start * _COLUMN, (len(line.plain.rstrip()) - start) * _COLUMN
    spans = []
    for piece in line.divide(sorted({start, *(edge for span in line.spans for edge in (span.start, span.end))})):
        if piece.plain.strip():
            classes = " ".join(_classes(piece))
            text = escape(piece.plain, quote=False)
            spans.append(f'<tspan class="{classes}">{text}</tspan>' if classes else text)
    return f'<text x="{left:.1f}" y="{y}" textLength="{length:.1f}" xml:space="preserve">{"".join(spans)}</text>'


def _classes(piece: Text) -> list[str]:
    styles = [piece.style, *(span.style for span in piece.spans)]
    found: list[str] = []
    for style in styles:
        if isinstance(style, Style):
            number = style.color.number if style.color else None
            found += [_OF_ANSI[number]] if number in _OF_ANSI else []
            found += ["bold"] if style.bold else []
    return found


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        PICTURE.write_text(drawn(transcript(Path(folder).resolve())), encoding="utf-8")


if __name__ == "__main__":
    main()
