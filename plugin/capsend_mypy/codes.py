"""The error codes, one per rule; each can be disabled separately and has its section in docs/mypy.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from capsend_traits.wording import Kind
from mypy.errorcodes import ErrorCode

from capsend_mypy.spoils import Rule

if TYPE_CHECKING:
    from capsend_traits.wording import Finding

CATEGORY: Final = "capsend"

CAPTURE: Final = ErrorCode("capsend-capture", "A captured value is not ProcessSend", CATEGORY)
GLOBAL: Final = ErrorCode(
    "capsend-global", "A global or class attribute that a spawned function uses cannot be sent", CATEGORY
)
OPAQUE: Final = ErrorCode("capsend-opaque", "A type or callable shows too little to be judged", CATEGORY)
ANY: Final = ErrorCode("capsend-any", "A value that must be judged has the type Any or object", CATEGORY)
ARGUMENT: Final = ErrorCode("capsend-argument", "An argument or a message is not Serializable", CATEGORY)
RESULT: Final = ErrorCode("capsend-result", "A result is not Serializable", CATEGORY)
BOUND: Final = ErrorCode("capsend-bound", "A type argument does not have the trait that its bound asks for", CATEGORY)
IMPL: Final = ErrorCode("capsend-impl", "An impl of ProcessSend is wrong", CATEGORY)
INTERNAL: Final = ErrorCode("capsend-internal", "The plugin met something unexpected", CATEGORY)

ALL: Final = (CAPTURE, GLOBAL, OPAQUE, ANY, ARGUMENT, RESULT, BOUND, IMPL, INTERNAL)

_BY_KIND: Final = {
    Kind.GLOBAL: GLOBAL,
    Kind.CLASS_ATTRIBUTE: GLOBAL,
    Kind.CACHED: GLOBAL,
    Kind.ARGUMENT: ARGUMENT,
    Kind.MESSAGE: ARGUMENT,
    Kind.RESULT: RESULT,
    Kind.BOUND: BOUND,
    Kind.FIELD: IMPL,
    Kind.CLASS: IMPL,
}
_BY_RULE: Final = {Rule.ANY: ANY, Rule.OPAQUE: OPAQUE, Rule.BOUND: BOUND}


def code_of(finding: Finding, rule: Rule) -> ErrorCode:
    """Return the error code of a finding: by its rule if the type shows too little, else by its position."""
    return _BY_RULE.get(rule) or _BY_KIND.get(finding.kind, CAPTURE)
