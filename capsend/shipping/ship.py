"""Ship a call: judge and encode the callable and its arguments, and decode the answer."""

from __future__ import annotations

import enum
import functools
import inspect
import sys
import types
from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs
from capsend_traits import Trait, table
from capsend_traits.wording import Kind, opening, report, result_cure

from capsend import codec
from capsend.codec import wire
from capsend.codec.arrays import is_numpys
from capsend.codec.instances import defines
from capsend.exceptions import CapsendError, CaptureError, ProcessFailed, SerializationError
from capsend.shipping import failure
from capsend.shipping.captures.message_types import message_type
from capsend.shipping.captures.missing import host_only
from capsend.shipping.captures.origins import Origins, missing_module_cure, resolve
from capsend.shipping.captures.walk import Place, Walk, callable_name
from capsend.shipping.examining import blaming
from capsend.shipping.prepared import dismantled, package_of, prepared_asking, prepared_for, require_sendable
from capsend.shipping.reuse import NO_STEPS
from capsend.source.compiling import nested_in

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from capsend.capabilities.handles import Grant, Handles
    from capsend.shipping.prepared import Prepared
    from capsend.shipping.reuse import Reuse

_LONGEST_REFUSAL: Final = 1 << 20
_REFUSAL: Final = codec.Limits(max_nodes=2, max_items=3)
_NOTICES: Final = frozenset({("capsend.mailbox", "Down"), ("capsend.mailbox", "Exit")})
_REPORTS: Final = frozenset(
    {("capsend.process", "Stats"), *(("capsend_traits.wording", name) for name in ("Finding", "Kind", "Leaf", "Step"))}
)
"""The classes that a parent may return from its supervision: the figures of a child, and the parts of a `CaptureError`."""
_CO_VARIADIC: Final = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


@attrs.frozen
class Shipment:
    """One call, ready to go into a process.

    Attributes:
        program: text from which the process rebuilds the callable.
        call: text of the arguments.
        name: the callable's qualified name, for messages.
        entities: the host's objects, by the program's numbers.
        names: (module, qualified name) of every object of the image that the program names.
        grants: the grants behind its handles, in the order in which the process numbers them at its start.
        origins: the origins of modules, by the content of the image.
        takes_mailbox: True if the function's first parameter is its mailbox.
        segments: the bytes that travel next to the text of the arguments.
        reuse: the work for the program that is done once; None for programs that are not kept.
    """

    reads_pickles: ClassVar[bool] = True
    """True if the process reads pickled messages of the host."""

    program: str
    call: str
    name: str
    entities: list[object] = attrs.field(repr=False)
    names: frozenset[tuple[str, str]] = attrs.field(repr=False)
    grants: tuple[Grant, ...] = attrs.field(default=(), repr=False)
    origins: Origins | None = attrs.field(default=None, repr=False)
    takes_mailbox: bool = False
    segments: tuple[bytes, ...] = attrs.field(default=(), repr=False)
    reuse: Reuse | None = attrs.field(default=None, repr=False, eq=False)
    _message_names: dict[type, dict[str, list[str]]] = attrs.field(factory=dict, init=False, eq=False, repr=False)
    _by_qualname: dict[tuple[str, str], object] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def receive(
        self,
        text: str,
        process_id: int,
        *,
        handles: Handles | None = None,
        is_unwanted: Callable[[], bool] | None = None,
        segments: Sequence[bytes] = (),
    ) -> Any:
        """Return the value, or raise the exception, of a process's answer.

        Args:
            text: the answer.
            process_id: the number of the process.
            handles: the process's table.
            is_unwanted: returns whether no waiter for the answer is left.
            segments: the bytes that travel next to the text of a result.

        Raises:
            Stopped: `is_unwanted` returned true.
            SerializationError: the result cannot be sent, or has no encoding.
            ProcessFailed: the function raised an exception that cannot come back as itself.
            BaseException: the function raised it.
        """
        kind, body = text[:1], text[1:]

        def answer_names(reference: Any) -> object:
            number = reference.get("h") if type(reference) is dict else None
            grant = handles.get(number) if type(number) is int and handles is not None else None
            return self.resolve(reference) if grant is None else grant.handle()

        if kind == "v":
            return self._value(body, answer_names, is_unwanted, segments)
        if kind == "u":
            raise _unsendable(self.name, body)
        error = failure.rebuild(
            body, resolve=answer_names, process_id=process_id, files=self.shown_files(), is_unwanted=is_unwanted
        )
        if type(error) is ModuleNotFoundError and self.origins is not None:
            missing = host_only(error, self.origins)
            if missing:
                raise CaptureError(
                    f"{self.name} has imported {missing} through a package of its image: the host has {missing}, and the image has not.\n\n"
                    f"    Instead: {missing_module_cure(missing)}."
                ) from error.__cause__
        raise error

    def _value(
        self,
        body: str,
        names: Callable[[Any], object],
        is_unwanted: Callable[[], bool] | None,
        segments: Sequence[bytes],
    ) -> Any:
        try:
            return wire.decode_value(body, resolve=names, is_unwanted=is_unwanted, segments=segments)
        except ProcessFailed as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, _NotSent):
                cause = cause.__cause__
            if cause is None:
                raise
            raise SerializationError(
                f"cannot take the result of {self.name}: {cause}.\n\n    Instead: return its content, as built-in values.",
                path="result",
            ) from None

    def resolve(self, reference: Any) -> object:
        """Return the object that a process names: an object that was sent, or a declared class of the standard library.

        Raises:
            LookupError: the name is of anything else.
        """
        if not isinstance(reference, dict):
            raise LookupError("a reference is an object")
        if "c" in reference:
            return self._in_message(reference["c"])
        number, name = reference.get("p"), reference.get("n")
        if type(number) is int and 0 <= number < len(self.entities):
            return _nested(self.entities[number], reference.get("q"))
        if type(name) is list and len(name) == 2 and all(type(part) is str for part in name):
            return self._by_name(*name)
        raise LookupError("it names nothing that was sent")

    def message_name(self, thing: object) -> object:
        """Return the process's name for a class or function in a message; None if the process does not have it."""
        if isinstance(thing, type) and thing in self._message_names:
            return self._message_names[thing]
        named = self.origins.name_of(thing) if self.origins is not None else None
        if named is None:
            module, qualname = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
            if (
                not isinstance(module, str)
                or not isinstance(qualname, str)
                or self._sent(module, qualname) is not thing
            ):
                return None
            named = (module, qualname)
        name = {"c": list(named)}
        if isinstance(thing, type):
            self._message_names[thing] = name
        return name

    def _in_message(self, name: Any) -> object:
        if type(name) is not list or len(name) != 2 or not all(type(part) is str for part in name):
            raise LookupError("a name is a module and a qualified name")
        sent = self._sent(*name)
        return self._by_name(*name) if sent is None else sent

    def _sent(self, module: str, qualname: str) -> object:
        """Return the class or function of this name that was sent with the program; None if none was."""
        if not self._by_qualname:
            for thing in self.entities:
                if isinstance(thing, type | types.FunctionType):
                    self._by_qualname[thing.__module__, thing.__qualname__] = thing
        sent = self._by_qualname.get((module, qualname))
        outer, _, inner = qualname.rpartition(".")
        if sent is None and outer:
            owner = self._sent(module, outer)
            found = nested_in(owner, inner)
            sent = found if isinstance(found, type) else None
        return sent

    def _by_name(self, module: str, qualname: str) -> object:
        if not any((module, qualname) in known for known in (self.names, _NOTICES, _REPORTS)):
            return self._not_sent(module, qualname)
        found = _loaded(module, qualname)
        if found is None:
            raise LookupError(f"{module}.{qualname} is not loaded in this program")
        return found

    def _not_sent(self, module: str, qualname: str) -> object:
        """Return a class that may come back although it was not sent: a declared one, or a plain one of the standard library."""
        top = module.partition(".")[0]
        found = _loaded(module, qualname) if top != "capsend" else None
        declaration = table().of_class(found) if isinstance(found, type) else None
        if declaration is not None and declaration.trait is not Trait.NEVER:
            return found
        # Members and named tuples are data only: encoding and decoding run none of their methods.
        if (
            isinstance(found, type)
            and top in sys.stdlib_module_names
            and issubclass(found, enum.Enum | tuple)
            and declaration is None
            and not defines(found, "__del__")
        ):
            return found
        if found is None and module in sys.stdlib_module_names and module not in sys.modules:
            raise _NotSent(
                f"it has a part of the class {module}.{qualname}, and {module} is not imported in this program"
            )
        raise _NotSent(
            f"it has a part that is named {module}.{qualname}, which was not sent with the program and is not declared"
        )

    def shown_files(self) -> Collection[str]:
        """Return the file names that frames of the process may have; as a mapping, {file name: name in tracebacks}."""
        return self.files()

    def files(self) -> frozenset[str]:
        """Return the source files that were sent."""
        return frozenset(step[2][3] for step in codec.loads(self.program)["steps"] if step[0] in "fl")


class _NotSent(LookupError):
    """A process names an object of the host that may be harmless but is not declared."""


def _loaded(module: str, qualname: str) -> object:
    """Return the object of a name in a loaded module without running the module's code; None if it does not exist."""
    loaded = sys.modules.get(module)
    return None if loaded is None else resolve(loaded, qualname)


def _nested(thing: object, path: object) -> object:
    found = thing if path is None else nested_in(thing, str(path))
    if path is not None and not isinstance(found, type | types.FunctionType):
        raise LookupError(f"no class {path} was sent")
    return found


def _unsendable(name: str, body: str) -> CapsendError:
    try:
        if len(body) > _LONGEST_REFUSAL:
            raise ValueError("nobody reads that much")  # noqa: TRY301 - handled like any other malformed text
        path, kind, reason = (str(part)[:500] for part in codec.parse(body, _REFUSAL, depth=1))
    except (ValueError, TypeError):
        return ProcessFailed(
            f"the process that ran {name} answered with a malformed text",
            type_name="malformed",
            guest_message="",
        )
    return SerializationError(
        f"cannot send the result of {name}: {path} is {kind}, which is not Serializable.\n\n    {reason}\n"
        f"    Instead: {result_cure(kind, is_exception='exception' in reason)}.",
        path=path,
    )


def ship(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    knows: Callable[[str], bool],
    image: object = None,
) -> Shipment:
    """Judge and encode a call.

    Args:
        function: the callable.
        args: its positional arguments.
        kwargs: its keyword arguments.
        knows: returns whether the image has the module of a full name.
        image: the image that `knows` asks; cached programs are kept per image.

    Raises:
        TypeError: *function* is not callable, or does not take these arguments.
        CaptureError: a capture of the callable cannot be sent.
        SerializationError: an argument cannot be sent.
    """
    with blaming(function):
        return _ship(function, args, kwargs, knows, image)


def _ship(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    knows: Callable[[str], bool],
    image: object,
) -> Shipment:
    _require_callable(function)
    message = message_type(function)
    _require_arguments(function, args if message is None else (None, *args), kwargs)
    prepared = prepared_for(function, knows, image, twins=True)
    if "numpy" in sys.modules and not knows("numpy"):
        _refuse_arrays(callable_name(function), args, kwargs)
    segments: list[bytes] = []
    encoded: str | None
    if not args and not kwargs:
        encoded = ""
    elif any(map(prepared.has, (*args, *kwargs.values()))):
        encoded = None
    else:
        encoded = encode_data(args, kwargs, segments)
    if encoded is not None:
        return Shipment(
            prepared.text,
            NO_STEPS + encoded,
            callable_name(function),
            prepared.objects,
            prepared.names,
            tuple(prepared.program.handles),
            prepared.origins,
            message is not None,
            tuple(segments),
            prepared.reuse,
        )
    return _with_arguments(function, prepared_for(function, knows, image), args, kwargs, knows)


def _refuse_arrays(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse arguments that are numpy values, or hold one at the first level, if the image lacks numpy."""
    for position, value in [*enumerate(args), *kwargs.items()]:
        inside = value.values() if type(value) is dict else value if type(value) in {list, tuple} else ()
        if is_numpys(value) or any(map(is_numpys, inside)):
            what = f"args[{position}]" if type(position) is int else str(position)
            raise SerializationError(
                f"arguments of {name}, {what} cannot be sent: it is a value of numpy, and the image has no module numpy.\n\n"
                f"    Instead: {missing_module_cure('numpy')}.",
                path=what,
            )


def check(function: Callable[..., Any], *, knows: Callable[[str], bool], defining: bool = False) -> None:
    """Raise the errors that `ship` would raise for the callable, whatever its arguments.

    Args:
        function: the callable.
        knows: returns whether the image has the module of a full name.
        defining: True to pass over names without a value, as at a definition.
    """
    with blaming(function):
        _require_callable(function)
        require_sendable(function, knows, defining=defining, verb="check" if not defining else "define")


def _with_arguments(
    function: Callable[..., Any],
    prepared: Prepared,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    knows: Callable[[str], bool],
) -> Shipment:
    program = prepared.program.extend()
    walk = Walk(origins=Origins(knows=knows, own=package_of(function)), program=program)
    skipped = message_type(function) is not None
    names = _parameter_names(function, len(args) + skipped)[skipped:]
    place = Place()
    for name, value in [*zip(names, args, strict=True), *kwargs.items()]:
        walk.values.judge(value, Kind.ARGUMENT, name, place, trait="Serializable")
    walk.finish()
    name = callable_name(function)
    findings = dismantled(walk).findings
    if not findings and program.asked - prepared.program.asked:
        # The arguments ask about objects that the program does not have: the callable is walked again, for them.
        return _with_arguments(function, prepared_asking(function, knows, program.asked), args, kwargs, knows)
    if findings:
        kind = SerializationError if all(f.kind is Kind.ARGUMENT for f in findings) else CaptureError
        raise kind(report(opening(name, findings), findings), findings=findings)
    call = (args, kwargs)
    shared = program.shared if program.shares(call) else None
    segments: list[bytes] = []
    encoded = wire.encode_value(
        call, externals=program.external, shared=shared, name=f"arguments of {name}, args", segments=segments
    )
    program.render()
    if findings:  # rendering finds values that have no encoding
        raise CaptureError(report(opening(name, findings), findings), findings=findings)
    steps = program.text() if program.steps else ""
    names_sent = prepared.names | frozenset(program.names())
    return Shipment(
        prepared.text,
        f"{len(steps):x}:{steps}{encoded}",
        name,
        program.objects,
        names_sent,
        tuple(program.handles),
        prepared.origins,
        message_type(function) is not None,
        tuple(segments),
        prepared.reuse,
    )


class _NeedsWalk(Exception):
    """An argument contains code, or instances of the user's classes."""


def encode_data(args: tuple[Any, ...], kwargs: dict[str, Any], segments: list[bytes] | None = None) -> str | None:
    """Encode arguments that are plain data, which the codec alone judges.

    Returns:
        The text; None if the arguments are more than data, or if an error needs a walk.

    Args:
        args: the positional arguments.
        kwargs: the keyword arguments.
        segments: an empty list for bytes that travel next to the text; see `codec.encode`.
    """

    def stop(_thing: object) -> None:
        raise _NeedsWalk

    try:
        return wire.encode_value((args, kwargs), externals=stop, segments=segments)
    except (_NeedsWalk, SerializationError):
        return None


def _require_callable(function: object) -> None:
    if not callable(function):
        cure = "write Source(text)" if isinstance(function, str) else "pass the function itself, without calling it"
        raise TypeError(f"spawn needs a callable, not {type(function).__name__}: {cure}.")


def _require_arguments(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    code = getattr(function, "__code__", None)
    if isinstance(code, types.CodeType) and not kwargs and isinstance(function, types.FunctionType):
        simple = not code.co_kwonlyargcount and not code.co_flags & _CO_VARIADIC
        if simple and len(args) == code.co_argcount:
            return
    try:
        signature = _signature_of(function)
    except (ValueError, TypeError):
        return  # many built-ins have no signature
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(
            f"{callable_name(function)}{signature} cannot be called like this: {error}. No process was started."
        ) from None


def _signature_of(function: Any) -> inspect.Signature:
    is_fixed = type(function) is types.BuiltinFunctionType and isinstance(function.__self__, types.ModuleType)
    return _fixed_signature(function) if is_fixed else inspect.signature(function)


@functools.lru_cache(maxsize=256)
def _fixed_signature(function: types.BuiltinFunctionType) -> inspect.Signature:
    """Return the signature of a function written in C, kept: parsing its text takes as long as the rest of a spawn."""
    return inspect.signature(function)


def _parameter_names(function: Any, count: int) -> list[str]:
    """Return names for positional arguments: the callable's parameters, if its signature is known."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        parameters = []
    names = [p.name for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}][:count]
    return names + [f"args[{index}]" for index in range(len(names), count)]
