"""The parts of mypy that the plugin uses and mypy does not promise: one table, and a check for changes in a new version.

mypy documents the hooks of `mypy.plugin.Plugin`, whose interface it calls experimental, and no other class. Everything
else that the plugin uses is listed in this module. When the plugin is loaded, it checks for names and parameters, in
less than a millisecond. It cannot check the order in which mypy works; `tests/plugin/test_plugin_incremental.py` fails
if that changes:

* `report_config_data` is called for a module, with `is_check` false, after its names are bound and before its cache is
  written: only then can its summary be put into the cache, as an additional symbol of its table.
* The bodies of functions are kept until `get_additional_indirect_deps` was called for their module.
* A symbol whose type is a literal text is kept in the cache, and is part of the module's interface.
* `get_method_hook` is called after the bodies of lambdas in the arguments were checked, and decorators are checked like
  calls, with the `Decorator` as their place.
"""

from __future__ import annotations

import importlib
import re
from typing import Any, Final, NamedTuple


class Use(NamedTuple):
    """The attributes or parameters used of one class, function or module of mypy.

    Attributes:
        owner: the class or module with the attributes, as "module:Class", or the function with the parameters, as
            "module:Class.function".
        names: the attributes, or the parameters of a function.
        purpose: the check that needs them.
    """

    owner: str
    names: tuple[str, ...]
    purpose: str


ATTRIBUTES: Final = (
    Use(
        "mypy.checker:TypeChecker",
        ("lookup_type_or_none", "get_expression_type", "named_generic_type"),
        "the types of captured values",
    ),
    Use(
        "mypy.checker:TypeChecker",
        ("msg", "tree", "path", "options", "modules", "tscope", "expr_checker", "current_node_deferred"),
        "the place of a spawn, and whether mypy looks at it for the last time",
    ),
    Use("mypy.checkexpr:ExpressionChecker", ("in_lambda_expr",), "whether mypy looks at a spawn in a lambda again"),
    Use("mypy.scope:Scope", ("functions", "current_full_target"), "the functions around a spawn"),
    Use("mypy.checker:TypeChecker", ("module_refs",), "a new check of a module when one that it rests on changes"),
    Use("mypy.nodes:MypyFile", ("plugin_deps",), "the same in the daemon"),
    Use(
        "mypy.messages:MessageBuilder",
        ("errors", "fail", "note", "filter_errors"),
        "errors with notes, and types without errors",
    ),
    Use(
        "mypy.errors:Errors",
        ("_watchers", "error_info_map", "file", "target_module", "set_file", "simplify_path"),
        "errors of a call that mypy tries more than once, and of a file that it has finished",
    ),
    Use("mypy.errors:ErrorInfo", ("parent_error",), "the notes of an error"),
    Use("mypy.plugin:Plugin", ("_modules", "lookup_fully_qualified"), "the modules of the build"),
    Use(
        "mypy.plugin:Plugin",
        ("get_additional_indirect_deps",),
        "a last look at a module before mypy frees the bodies of its functions",
    ),
    Use(
        "mypy.nodes:MypyFile",
        ("is_cache_skeleton", "local_definitions", "imports", "defs", "names"),
        "the summary of a module",
    ),
    Use("mypy.nodes:TypeInfo", ("metadata", "get_containing_type_info", "enum_members"), "the summary of a class"),
    Use("mypy.traverser:NameAndMemberCollector", ("name_exprs", "member_exprs"), "the names in a function, quickly"),
    Use("mypy.typeanal:TypeAnalyser", ("analyze_type_with_type_info",), "annotations that name a bound"),
    Use("mypy.semanal:SemanticAnalyzer", ("cur_mod_id", "errors"), "classes that promise a trait"),
    Use(
        "mypy.options:Options",
        ("snapshot", "apply_changes", "clone_for_module"),
        "summaries of modules that were cached without",
    ),
)
PARAMETERS: Final = (
    Use("mypy.messages:MessageBuilder.fail", ("code", "origin_context"), "`type: ignore` on the line of the spawn"),
    Use("mypy.messages:MessageBuilder.note", ("parent_error", "origin_context"), "the notes of an error"),
    Use("mypy.errors:Errors.set_file", ("scope", "options"), "errors of a file that mypy has finished"),
    Use("mypy.constraints:infer_constraints", ("template", "actual", "direction"), "values of type variables"),
    Use("mypy.util:correct_relative_import", ("cur_mod_id", "relative", "target"), "the modules that a module imports"),
    Use("mypy.build:build", ("sources", "options", "flush_errors"), "`capsend check`"),
    Use("mypy.main:process_options", ("args", "stderr", "require_targets"), "`capsend check`"),
)


def missing() -> str:
    """Return a sentence about the first part that this mypy lacks; empty if it has all."""
    for use in (*ATTRIBUTES, *PARAMETERS):
        owner = _found(use.owner)
        if owner is None:
            return f"it has no `{use.owner.replace(':', '.')}`, which gives {use.purpose}"
        for name in use.names:
            if use in PARAMETERS and not _has_parameter(owner, name):
                return f"its `{use.owner.replace(':', '.')}` has no parameter `{name}`, which gives {use.purpose}"
            if use in ATTRIBUTES and not _has_attribute(owner, name):
                return f"its `{use.owner.replace(':', '.')}` has no `{name}`, which gives {use.purpose}"
    return ""


def _found(owner: str) -> Any:
    module, _, path = owner.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ImportError:
        return None
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def _has_parameter(function: Any, name: str) -> bool:
    """Return whether a function has a parameter; a compiled function shows its parameters in its text signature."""
    text = getattr(function, "__text_signature__", None)
    if text is not None:
        return re.search(rf"\b{name}\b", text) is not None
    code = getattr(function, "__code__", None)  # `inspect.signature` would take longer than the rest of the check
    return code is not None and name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _has_attribute(cls: Any, name: str) -> bool:
    """Return whether instances of a class have an attribute; in a mypy that is not compiled, `__init__` makes it."""
    if hasattr(cls, name):
        return True
    made = (getattr(base.__dict__.get("__init__"), "__code__", None) for base in cls.__mro__)
    return any(code is not None and name in code.co_names for code in made)
