"""`python -m capsend_mypy check|explain|audit`, run by the `capsend` command, which does not import mypy itself."""

from __future__ import annotations

import argparse
import sys

from capsend_mypy import command


def main(arguments: list[str]) -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(prog="capsend")
    parser.add_argument("--config-file", default="", help="mypy's configuration file")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser(
        "check",
        help="run mypy with the plugin and print capsend's errors only; paths and mypy's options are passed on",
        allow_abbrev=False,
    )
    form = check.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", default="text")
    form.add_argument("--sarif", dest="form", action="store_const", const="sarif")
    explain = commands.add_parser("explain", help="show the plugin's verdict on a class or function")
    explain.add_argument("name")
    audit = commands.add_parser("audit", help="list every unsafe impl with its place and reason")
    audit.add_argument("paths", nargs="*")
    given, rest = parser.parse_known_args(arguments)
    if rest and given.command != "check":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if given.command == "check":
        return command.check(rest, form=given.form, config=given.config_file)
    if given.command == "explain":
        return command.explain(given.name, config=given.config_file)
    return command.audit(given.paths, config=given.config_file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
