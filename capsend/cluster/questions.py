"""The questions of processes on a node to their home, and the answers: calls of home's functions."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from capsend.capabilities.handles import TooManyHandles
from capsend.cluster.hosted import HomeFunction, named_in
from capsend.cluster.items import joined, split
from capsend.codec.headers import Call
from capsend.codec.text import dumps
from capsend.exceptions import LimitExceeded
from capsend.runtime.call_operations import check_size, raised_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from capsend.capabilities.handles import Grant
    from capsend.cluster.items import Item
    from capsend.cluster.peers import Peer, Switch
    from capsend.runtime.life import Life


class Reply(NamedTuple):
    """The answer of home to a question.

    Attributes:
        kind: "v" for a value, "e" for an exception.
        text: its text.
        grants: the grants behind its handles.
        segments: the bytes that travel next to the text.
    """

    kind: str
    text: str
    grants: tuple[Grant, ...]
    segments: list[bytes]


class _Question:
    """A question to home, and its answer."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self.reply: Reply | None = None
        self._wake = wake

    def answer(self, reply: Reply) -> None:
        """Keep the answer, and wake the waiting thread."""
        self.reply = reply
        self._wake()


class Questions:
    """The questions of a node's processes that home has not answered yet; safe to use from any thread.

    Args:
        home: the peer that answers.
        switch: the ports that the node has made known to others.
    """

    def __init__(self, home: Peer, switch: Switch) -> None:
        self._home = home
        self._switch = switch
        self._open: dict[int, _Question] = {}
        self._numbers = itertools.count(1)

    def ask(
        self, word: str, guest: Any, before: Sequence[Any], after: Sequence[Any] = (), *, body: bytes = b""
    ) -> Reply | None:
        """Ask home, and wait for the answer; called on the thread of a process.

        Args:
            word: the word of the question.
            guest: the instance of the process, through which its thread waits.
            before: the fields before the number of the question.
            after: the fields after it.
            body: the body.

        Returns:
            The answer; None when the process is stopped during the wait.
        """
        number, question = next(self._numbers), _Question(guest.unpark)
        self._open[number] = question
        try:
            self._home.put(word, (*before, number, *after), body)
            while question.reply is None:
                if guest.interrupted:
                    self._home.put("forget", before)
                    return None
                guest.park(None)
            return question.reply
        finally:
            del self._open[number]

    def end(self, root: int, number: int) -> None:
        """Report that a process has ended which has called functions of home: home keeps a thread for it until then."""
        self._home.put("done", (root, number))

    def answer(self, item: Item) -> None:
        """Pass the answer in an item `answer` to the process that waits for it, if any."""
        number, kind, references, sizes = item.fields
        question = self._open.get(number)
        if question is not None:
            (text,), segments = split(item.body, sizes, 1)
            question.answer(Reply(kind, text, self._switch.grants(references), segments))


class HomeCalls:
    """The calls of home's functions by one process of a node; see `capsend.runtime.home.Calls`."""

    def __init__(self, questions: Questions, switch: Switch, life: Life) -> None:
        self._questions = questions
        self._switch = switch
        self._life = life
        self._root = 0

    def answer(self, guest: Any, payload: str) -> str:
        """Do `number segments:arguments`; see `HostCalls.answer`."""
        life = self._life
        name, beside, text = Call.read(payload)
        grant = life.handles.get(int(name)) if name.isdecimal() and len(name) < 10 else None
        if not isinstance(grant, HomeFunction):
            return raised_text(PermissionError("this process holds no such function of the host"), None)
        try:
            segments = life.transit.read(beside, charge=check_size)
            check_size(len(text))
        except LimitExceeded as refusal:
            return raised_text(refusal, None)
        except ValueError:
            return raised_text(TypeError(f"the arguments of {grant.name} are malformed"), None)
        if not text.isascii() or text.startswith("k"):
            return raised_text(TypeError(f"the arguments of {grant.name} are malformed"), None)
        sizes, body = joined((text,), segments)
        references = numbered(self._switch, named_in(text, life.handles))
        self._root = grant.root
        fields = (grant.root, life.number), (grant.number, references, sizes)
        reply = self._questions.ask("call", guest, *fields, body=body)
        return "" if reply is None else self._taken(reply)

    def _taken(self, reply: Reply) -> str:
        """Enter the grants of a reply into the process's handles, and return the reply as `HostCalls.answer` does."""
        life = self._life
        if reply.kind != "v":
            return f"e{reply.text}"
        try:
            handles = dumps(life.handles.deliver(reply.grants))
        except TooManyHandles:
            return raised_text(LimitExceeded("the result holds more handles than this process can have"), None)
        if reply.segments:
            return f"V{len(handles):x}:{handles}{life.transit.hand_out(reply.segments)}:{reply.text}"
        return f"v{len(handles):x}:{handles}{reply.text}"

    def close(self) -> None:
        """End with the process."""
        if self._root:
            self._questions.end(self._root, self._life.number)


def numbered(switch: Switch, grants: Mapping[int, Grant]) -> dict[str, list[Any]]:
    """Return references to the grants that can leave this machine: {number: reference}."""
    found = {str(number): switch.reference(grant) for number, grant in grants.items()}
    return {number: reference for number, reference in found.items() if reference is not None}
