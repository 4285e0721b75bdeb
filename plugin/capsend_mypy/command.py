"""The commands behind `capsend check`, `capsend explain --static` and `capsend audit`: they run mypy with the plugin in any project."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from capsend_traits import Trait, wording
from mypy import build
from mypy.errors import CompileError
from mypy.main import process_options
from mypy.modulefinder import BuildSource
from mypy.nodes import TypeInfo, Var
from mypy.typevars import fill_typevars

from capsend_mypy import codes, names
from capsend_mypy.expressions import is_callable
from capsend_mypy.modules import State
from capsend_mypy.program import Program
from capsend_mypy.solving import Direct
from capsend_mypy.summary import Hop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy.nodes import MypyFile
    from mypy.options import Options

    from capsend_mypy.summary import Failure

PLUGIN: Final = "capsend_mypy"
CLEAN: Final = 0
FOUND: Final = 1
FAILED: Final = 2
_RED: Final = "1;31"
_GREEN: Final = "32"
_YELLOW: Final = "33"
_BLUE: Final = "34"
_NAME: Final = re.compile(r"\w+")
SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True, slots=True)
class Message:
    """One error that capsend reports, with its notes."""

    file: str
    line: int
    column: int
    code: str
    message: str
    notes: tuple[str, ...]


class Failed(Exception):
    """mypy failed; contains mypy's output."""


def check(paths: Sequence[str], *, form: str = "text", config: str = "") -> int:
    """Check files and folders, print only capsend's errors, and return an exit code: 0 none, 1 some, 2 mypy could not check.

    Args:
        paths: the files and folders; empty for those of the configuration. Options of mypy may be among them.
        form: "text" for mypy's own form, "json" for one object a line, "sarif" for one SARIF 2.1.0 document.
        config: the configuration file; "" for mypy's usual search.
    """
    try:
        messages = sorted(run(paths, config=config), key=lambda message: (message.file, message.line, message.column))
    except Failed as failed:
        sys.stderr.write(f"{failed}\n")
        return FAILED
    write = {"json": _json, "sarif": _sarif}.get(form, _text)
    sys.stdout.write(write(messages))
    if form == "text":
        sys.stdout.write(_summary(messages))
    return FOUND if messages else CLEAN


def _summary(messages: Sequence[Message]) -> str:
    files = len({message.file for message in messages})
    if not messages:
        return _coloured("all is well: every capture and every sent value can be sent\n", _GREEN)
    count = f"{len(messages)} error{'' if len(messages) == 1 else 's'} in {files} file{'' if files == 1 else 's'}"
    return _coloured(f"found {count}\n", _RED)


def run(paths: Sequence[str], *, config: str = "") -> list[Message]:
    """Run mypy with the plugin, unannotated functions included, and return capsend's errors.

    Raises:
        Failed: mypy was stopped, for example by a syntax error.
    """
    sources, options = _options(paths, config)
    lines: list[str] = []
    _build(sources, options, lines)
    return [message for line in lines for message in _message(json.loads(line))]


def _options(paths: Sequence[str], config: str) -> tuple[list[BuildSource], Options]:
    arguments = ["--output=json", "--check-untyped-defs", "--show-column-numbers"]
    if config:
        arguments.append(f"--config-file={config}")
    said = io.StringIO()
    try:
        # mypy reads its configuration only in this function of its command line, which ends a refusal with
        # `SystemExit`.
        sources, options = process_options([*arguments, *paths], require_targets=False, stderr=said)
        if not sources:  # neither on the command line nor in the configuration
            sources, options = process_options([*arguments, *paths, "."], require_targets=True, stderr=said)
    except SystemExit as stopped:
        raise Failed(_refusal(said.getvalue())) from stopped
    sys.stderr.write(said.getvalue())
    options.output = "json"
    # mypy loads no plugin without a configuration file, and opens the file only to number the line of a complaint.
    options.config_file = options.config_file or __file__
    if PLUGIN not in options.plugins:
        options.plugins = [*options.plugins, PLUGIN]
    return sources, options


def _refusal(said: str) -> str:
    """Return mypy's complaint about its arguments, without its usage text: the user called `capsend`."""
    unknown = re.search(r"unrecognized arguments: (.+)", said)
    if unknown is not None:
        return f"Error: No such option '{unknown[1].split()[0]}', neither of capsend's nor of mypy's."
    complaint = re.sub(r"(?s)\Ausage: .*?^mypy: error: ", "", said, flags=re.MULTILINE).strip()
    return f"mypy did not accept these paths or its configuration{f': {complaint}' if complaint else '.'}"


def _build(sources: list[BuildSource], options: Options, lines: list[str]) -> build.BuildResult:
    try:
        # `mypy.api` returns only the printed text; the build returns each file's messages when the file is done, and
        # the trees at the end.
        return build.build(sources, options, flush_errors=lambda _file, messages, _serious: lines.extend(messages))
    except CompileError as error:
        said = [_readable(line) for line in error.messages or lines]
        raise Failed("\n".join(said)) from error


def _readable(line: str) -> str:
    if not line.startswith("{"):
        return line
    data = json.loads(line)
    place = f":{data['line']}" if data["line"] > 0 else ""
    return f"{data['file']}{place}: {data['message']}"


def _message(data: dict[str, Any]) -> Iterator[Message]:
    if data["severity"] == "error" and data["code"] in {code.code for code in codes.ALL}:
        notes = tuple((data["hint"] or "").splitlines())
        yield Message(data["file"], data["line"], data["column"] + 1, data["code"], data["message"], notes)


def _text(messages: Sequence[Message]) -> str:
    text = ""
    for m in messages:
        place = f"{m.file}:{m.line}:{m.column}"
        text += f"{place}: {_coloured('error:', _RED)} {m.message}  {_coloured(f'[{m.code}]', _YELLOW)}\n"
        text += _source(m)
        text += "".join(f"{place}: {_coloured('note:', _BLUE)} {note}\n" for note in m.notes)
    return text


def _source(m: Message) -> str:
    """Return the source line with the place of the error underlined; empty if the file can no longer be read."""
    try:
        line = Path(m.file).read_text(encoding="utf-8").splitlines()[m.line - 1]
    except (OSError, ValueError, IndexError):
        return ""
    found = _NAME.match(line, m.column - 1)
    # Tabs are kept, so that columns stay aligned.
    before = "".join(c if c == "\t" else " " for c in line[: m.column - 1])
    return f"    {line}\n    {before}{_coloured('^' * (len(found[0]) if found else 1), _RED)}\n"


def _coloured(text: str, colour: str) -> str:
    """Return a text, in colour if it goes to a terminal."""
    shown = os.environ.get("FORCE_COLOR") or (sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
    ending = "\n" * text.endswith("\n")
    return f"\033[{colour}m{text.removesuffix(ending)}\033[0m{ending}" if shown else text


def _json(messages: Sequence[Message]) -> str:
    return "".join(json.dumps(asdict(message)) + "\n" for message in messages)


def _sarif(messages: Sequence[Message]) -> str:
    rules = [{"id": code.code, "shortDescription": {"text": code.description}} for code in codes.ALL]
    results = [
        {
            "ruleId": m.code,
            "level": "error",
            "message": {"text": "\n".join([m.message, *m.notes])},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": m.file.replace("\\", "/")},
                        "region": {"startLine": m.line, "startColumn": m.column},
                    }
                }
            ],
        }
        for m in messages
    ]
    driver = {"name": "capsend", "version": version("capsend"), "rules": rules}
    document = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return json.dumps(document, indent=2) + "\n"


def explain(name: str, *, config: str = "") -> int:
    """Print the verdict on a class, function or variable, by its full name.

    Returns:
        0 if it can be sent, 1 if not, 2 if it does not exist.
    """
    try:
        program = _program([BuildSource(None, None, f"import {name.rpartition('.')[0] or name}\n")], config)
    except Failed as failed:
        sys.stderr.write(f"{failed}\n")
        return FAILED
    return show(program, name)


def show(program: Program, name: str) -> int:
    """Print the verdict on a class, function or variable of a program; return as `explain` does."""
    node = program.symbol(name)
    if node is None:
        sys.stderr.write(
            f"{name}: mypy knows no such class, function or variable. Give its full name, such as package.module.name.\n"
        )
        return FAILED
    if isinstance(node, TypeInfo):
        return _explain_class(program, node)
    if isinstance(node, Var):
        return _explain_value(program, name, node)
    failures = program.failures(name)
    sys.stdout.write(f"{name}: {'can' if not failures else 'cannot'} run in another process\n")
    return _say(failures)


def _explain_value(program: Program, name: str, node: Var) -> int:
    """Print whether a module's variable can be captured, and whether its value can be passed."""
    if node.type is None:
        sys.stderr.write(f"{name}: mypy could not infer its type. Annotate it.\n")
        return FAILED
    failures = _captured(program, name)
    sys.stdout.write(
        f"{name}: {program.judge.name(node.type)}, {'not ' if failures else ''}{Trait.PROCESS_SEND.value}\n"
    )
    _say(failures)
    if is_callable(node.type):
        return FOUND if failures else CLEAN
    passed = program.judge.spoils(node.type, Trait.SERIALIZABLE)
    sys.stdout.write(f"{name}: {'not ' if passed else ''}{Trait.SERIALIZABLE.value}\n")
    if passed:
        leaves = tuple(spoil.of(node.name) for spoil in passed)
        finding = wording.Finding(
            wording.Kind.ARGUMENT, node.name, program.judge.name(node.type), Trait.SERIALIZABLE.value, leaves
        )
        sys.stdout.write("".join(f"    {note}\n" for note in wording.notes(finding, place=False)))
    return FOUND if failures or passed else CLEAN


def _captured(program: Program, name: str) -> list[Failure]:
    """Return the failures of a function that reads a variable."""
    found = Direct()
    program.variable(name, Hop("", name.rpartition(".")[2]), found)
    failures = list(found.failures)
    for target, hop in found.edges:
        failures += [replace(failure, hops=(hop, *failure.hops)) for failure in program.open_failures(target)]
    return list(program.settled(failures, program.split(name)[0]))


def _say(failures: Sequence[Failure]) -> int:
    for failure in failures:
        way = " -> ".join(hop.function.rpartition(".")[2] for hop in failure.hops if hop.function)
        sys.stdout.write(f"  {wording.headline(failure.finding)}{f' (in {way})' if way else ''}\n")
        sys.stdout.write("".join(f"    {note}\n" for note in wording.notes(failure.finding, place=False)))
    return FOUND if failures else CLEAN


def _explain_class(program: Program, info: TypeInfo) -> int:
    refused = False
    for trait in (Trait.PROCESS_SEND, Trait.SERIALIZABLE):
        spoils = program.judge.conditional(fill_typevars(info), trait)
        refused |= bool(spoils)
        condition = ", if its type arguments are" if info.defn.type_vars and not spoils else ""
        sys.stdout.write(f"{info.fullname}: {'not ' if spoils else ''}{trait.value}{condition}\n")
        if spoils:
            leaves = tuple(spoil.of(info.name) for spoil in spoils)
            finding = wording.Finding(wording.Kind.CLASS, info.name, info.name, trait.value, leaves)
            sys.stdout.write("".join(f"    {note}\n" for note in wording.notes(finding, place=False)))
    return FOUND if refused else CLEAN


def audit(paths: Sequence[str], *, config: str = "") -> int:
    """Print every unsafe impl with its place and its reason: `path:line: Class: reason`."""
    try:
        sources, options = _options(paths, config)
        result = _build(sources, _uncached(options), [])
    except Failed as failed:
        sys.stderr.write(f"{failed}\n")
        return FAILED
    checked = {source.module for source in sources}
    found = 0
    for module, file in sorted(result.files.items()):
        if module in checked:
            unsafe = list(_unsafe(file))
            found += len(unsafe)
            sys.stdout.write("".join(unsafe))
    if not found:
        sys.stdout.write("no class is promised to be sendable with @unsafe_process_send\n")
    return CLEAN


def _unsafe(file: MypyFile) -> Iterator[str]:
    for _, symbol, _ in file.local_definitions():
        info = symbol.node
        impl = info.metadata.get(names.METADATA, {}) if isinstance(info, TypeInfo) else {}
        if isinstance(info, TypeInfo) and "unsafe" in impl:
            yield f"{file.path}:{impl['line']}: {info.name}: {impl['unsafe']}\n"


def _uncached(options: Options) -> Options:
    options.incremental = False
    return options


def _program(sources: list[BuildSource], config: str) -> Program:
    _, options = _options([__file__], config)
    # The plugin keeps no summaries of a build without a spawn; this command needs them.
    asking = BuildSource(None, "__capsend_asks__", "import capsend\n")
    result = _build([*sources, asking], _uncached(options), [])
    return Program(State(options), result.files)
