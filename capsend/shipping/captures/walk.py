"""The captures of a callable: everything it reaches is judged and becomes part of the program that the process rebuilds.

One walk does both, so that exactly the judged objects are sent. It starts at the callable and follows closure cells,
defaults, receivers, partials, module globals, imports and classes, through every user function on the way. Whatever a
process can read of the sent program is one of three things: code at its place in the source, whose own state is judged
in turn; a value, judged and sent as it is now; or a placeholder that refuses to be used.
"""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any, Final

import attrs
from capsend_traits.wording import Kind

from capsend.codec.instances import defines, is_a
from capsend.shipping.captures.annotations import INTROSPECTION, Annotations
from capsend.shipping.captures.classes import Classes
from capsend.shipping.captures.constants import Constants
from capsend.shipping.captures.context import ABSENT, LRU_CACHE, Context, Place, callable_name, place_of
from capsend.shipping.captures.functions import Functions
from capsend.shipping.captures.message_types import classes_in
from capsend.shipping.captures.names import Names
from capsend.shipping.captures.texts import ASKING, Texts
from capsend.shipping.captures.values import OF_VARIABLES, Values
from capsend.traits.judge import type_name

if TYPE_CHECKING:
    from capsend.shipping.captures.origins import Origins
    from capsend.shipping.entities import Reference
    from capsend.shipping.program import Program

__all__ = ["ABSENT", "Place", "Walk", "callable_name"]

_CODE: Final = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
    type,
    LRU_CACHE,
)


ASKED: Final = frozenset({"cache_info", *ASKING, *INTROSPECTION, *OF_VARIABLES})
"""The names by which code asks about functions, classes and caches; if the program or its arguments use one, more of these objects is sent."""


class Walk:
    """One walk over all captures of a callable.

    Args:
        origins: the origins of modules, by the content of the image.
        defining: True passes over names that have no value yet, as at a definition.
        program: the program to add to; a new one by default.

    Attributes:
        context: the findings and the program written so far; see `capsend.shipping.captures.context`.
    """

    def __init__(self, *, origins: Origins, defining: bool = False, program: Program | None = None) -> None:
        self.context: Context = Context(origins=origins, defining=defining)
        if program is not None:
            self.context.program = program
        self.values: Values = Values(self)
        self.functions: Functions = Functions(self)
        self.names: Names = Names(self)
        self.classes: Classes = Classes(self)
        self.annotations: Annotations = Annotations(self)
        self.texts: Texts = Texts(self)
        self.constants: Constants = Constants(lambda value: not self.values.leaves(value, "ProcessSend", "", Place()))

    def root(self, function: Any) -> Reference | None:
        """Walk over the spawned callable.

        Returns:
            The reference to the callable, or None if something is refused.
        """
        place = place_of(function)
        self.constants.root = getattr(function, "__capsend_function__", function)
        self._root(function, place)
        self.finish()
        return None if self.context.findings else self.context.program.value(function)

    def messages(self, annotation: object, function: Any) -> None:
        """Include the classes in the message type of a mailbox, as its annotation names them."""
        place = place_of(function)
        for cls in classes_in(annotation):
            if self.values.judge(cls, Kind.CAPTURED, cls.__qualname__, place, trait="Serializable"):
                self.classes.construct(cls, place)
        self.finish()

    def finish(self) -> None:
        """Do all pending work; if nothing was refused, include the objects that no code is known to use, where possible."""
        self.context.drain()
        self.classes.follow_mentions()
        self.context.program.asked.update(name for name in ASKED if self.classes.mentioned(name) is not None)
        if self.context.findings:
            return
        self.context.include_what_is_possible()
        self.functions.take_overloads()
        self.texts.send()
        self.context.include_what_is_possible()
        self.classes.register()
        self.annotations.send()
        self.context.include_what_is_possible()
        for path, value, place in self.constants.misused_attributes():
            self.values.judge(value, Kind.CLASS_ATTRIBUTE, path, place)
        self.functions.tell_importable()
        self.values.send_settings()
        self.names.withhold_the_rest()

    def _root(self, function: Any, place: Place) -> None:
        if is_a(function, functools.partial):
            self._partial(function, place)
        elif is_a(function, types.MethodType):
            self._bound_method(function, place)
        elif is_a(function, _CODE) or defines(type(function), "__capsend_function__"):
            self._code(function, place)
        else:
            self.values.judge(function, Kind.CALLABLE, place.function, place)
            self.classes.attribute(type(function), "__call__", place)

    def _code(self, function: Any, place: Place) -> None:
        receiver = getattr(function, "__self__", None)
        bound = receiver is not None and not is_a(receiver, types.ModuleType | type)
        if bound and self.context.origins.name_of(function) is None:
            here = attrs.evolve(place, function=f"{type_name(type(receiver))}.{function.__name__}")
            if not self.values.judge(receiver, Kind.RECEIVER, f"{function.__name__}.__self__", here):
                return
        leaves = self.values.leaves(function, "ProcessSend", place.function, attrs.evolve(place, function=""))
        if leaves:
            self.context.refuse(Kind.FUNCTION, place.function, type_name(type(function)), leaves, place)
        elif is_a(function, type):
            self.classes.construct(function, place)

    def _partial(self, function: functools.partial[Any], place: Place) -> None:
        self.context.observed.partial(function)
        self._root(function.func, place)
        pieces = [*((f"args[{index}]", piece) for index, piece in enumerate(function.args)), *function.keywords.items()]
        for name, piece in pieces:
            self.values.judge(piece, Kind.PIECE, name, place)

    def _bound_method(self, method: types.MethodType, place: Place) -> None:
        receiver, function = method.__self__, method.__func__
        code = getattr(function, "__code__", None)
        name = code.co_varnames[0] if code is not None and code.co_varnames else "self"
        self.values.judge(receiver, Kind.RECEIVER, name, place)
        cls = receiver if is_a(receiver, type) else type(receiver)
        self.classes.attribute(cls, getattr(function, "__name__", ""), _start(place))
        self._code(function, place)


def _start(place: Place) -> Place:
    """Return the place as the start of a path."""
    return attrs.evolve(place, function="")
