"""Streams: generator functions that run in a process and yield their items to the caller one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar, final

from capsend.closing import Closing
from capsend.environment import Environment, default, started
from capsend.exceptions import hide_own_frames
from capsend.mailbox.mailbox import Mailbox
from capsend.mailbox.messages import Down
from capsend.source_text.source import Source

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator

    from capsend.process import Process

P = ParamSpec("P")
T = TypeVar("T")

WINDOW: Final = 16
"""Items that may wait to be taken before the process waits."""

_SENDER: Final = Source(
    """
    def send(out, function, args, kwargs):
        items = function(*args, **kwargs)
        if hasattr(items, "__aiter__"):
            return send_async(out, items)
        for item in items:
            out.send(item)

    async def send_async(out, items):
        async for item in items:
            await out.send_async(item)
    """,
    name="<capsend stream>",
).function("send")


@final
class Stream(Closing, Generic[T]):
    """The items of a generator function that runs in a process: an iterator, for `for` and for `async for`.

    The process runs ahead by at most one window of items and then waits. A stream kills its process when its `with`
    block is left or its last reference goes.

    Ordering:
        Items come in the order in which the generator yields them; the end of the generator or process, and its error, come after all items
        before it.

    Attributes:
        process: the handle of the process.
    """

    def __init__(self, process: Process[Any], inbox: Mailbox[Any]) -> None:
        """Wrap a process and its mailbox; `stream` calls this, users do not."""
        self.process = process
        self._inbox = inbox
        self._is_over = False

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if not self._is_over:
            item = self._inbox.receive()
            if not self._ends(item):
                taken: T = item
                return taken
            try:
                self.process._life.outcome(as_result=True)  # noqa: SLF001 - same package; it has ended
            except Exception as error:
                hide_own_frames(error)
                raise
        raise StopIteration

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        if not self._is_over:
            item = await self._inbox.receive_async()
            if not self._ends(item):
                taken: T = item
                return taken
            try:
                self.process._life.outcome()  # noqa: SLF001 - as above
            except Exception as error:
                hide_own_frames(error)
                raise
        raise StopAsyncIteration

    def _ends(self, item: object) -> bool:
        """Return whether a message is the notice that the process has ended."""
        self._is_over = isinstance(item, Down) and self.process.done()
        return self._is_over

    def close(self) -> None:
        """Kill the process, unless it has ended."""
        self._is_over = True
        self.process.kill()
        self._inbox.close()

    def __repr__(self) -> str:
        return f"<Stream of process {self.process.id}: {self.process.exit_reason or 'running'}>"


@final
class _Stream:
    """The type of `stream`."""

    def __init__(self) -> None:
        self.__doc__ = type(self).__call__.__doc__  # `help(stream)` describes the call

    def __call__(
        self, fn: Callable[P, Iterable[T] | AsyncIterable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Stream[T]:
        """Run `fn(*args, **kwargs)`, a generator function, in a new process of the default environment, and return its items as a stream.

        `fn` may be asynchronous. Captures of `fn` must be `ProcessSend`; arguments and items are copied.

        Raises:
            TypeError: `fn` cannot be called.
            CaptureError: a capture of `fn` cannot be sent.
            SerializationError: an argument cannot be sent.

        Example:
            >>> import capsend
            >>> for word in capsend.stream(str.split, "one by one"):
            ...     print(word)
            one
            by
            one
        """
        try:
            return _started(default(), WINDOW, fn, args, kwargs)
        except Exception as error:
            hide_own_frames(error)
            raise

    def within(self, environment: Environment, *, window: int = WINDOW) -> Within:
        """Return `stream` for another environment and window.

        Args:
            environment: the environment of the process.
            window: items that wait to be taken before the process waits.

        Example:
            >>> import capsend
            >>> small = capsend.stream.within(capsend.Environment(timeout=10), window=1)
            >>> sum(small(range, 5))
            10
        """
        return Within(environment, window)

    def __repr__(self) -> str:
        return "<capsend.stream>"


@final
class Within:
    """`stream` in an environment, with a window; made by `stream.within`."""

    def __init__(self, environment: Environment, window: int) -> None:
        self._environment = environment
        self._window = window

    def __call__(
        self, fn: Callable[P, Iterable[T] | AsyncIterable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Stream[T]:
        """Run a generator function as `stream` does."""
        try:
            return _started(self._environment, self._window, fn, args, kwargs)
        except Exception as error:
            hide_own_frames(error)
            raise


def _started(
    environment: Environment, window: int, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Stream[Any]:
    if not callable(fn):
        message = (
            f"stream needs a generator function, not {type(fn).__name__}: pass the function itself, without calling it"
        )
        raise TypeError(message)
    inbox: Mailbox[Any] = Mailbox(messages=window, size=environment.mailbox_bytes)
    function = getattr(fn, "__capsend_function__", fn)
    process = started(environment, _SENDER, (inbox.address, function, args, kwargs), {})
    inbox.monitor(process)
    return Stream(process, inbox)


stream: Final = _Stream()
