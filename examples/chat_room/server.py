"""A chat room on a loopback socket, with a process for every connection.

This program holds the sockets. For each client, a separate process interprets the lines that the client types. It may only compute and send
messages to its connection, and even evaluates untrusted Python. When the process fails, or computes for too long, its connection is closed, and
the other members of the room see only that a member has left.

Run it: python examples/chat_room/server.py 8000    and then: nc 127.0.0.1 8000
Type: /name ANN, /ignore BOB, /calc 2 ** 100, /quit, or anything else to say it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys

import attrs

from capsend import Address, Environment, Mailbox, process
from capsend.mailbox import Down

ROOM = "room"
LONGEST_LINE = 1_000
PAUSE = 0.02
"""Seconds between two lines of one client, so that no client can flood the room."""

# The limits of the process of a connection. A slow client misses the oldest lines, and does not delay the other members.
LIMITS = Environment(memory=128 << 20, timeout=None, cpu=5, output=10_000, mailbox=100, mailbox_full="drop_oldest")


@attrs.frozen
class Typed:
    """A line that the client typed."""

    line: str


@attrs.frozen
class Heard:
    """A line that another member said."""

    speaker: str
    text: str


@attrs.frozen
class Show:
    """A line to be shown to the client."""

    line: str


@attrs.frozen
class Say:
    """A line that the client says to the room."""

    text: str


@attrs.frozen
class Rename:
    """A request of the client for another name."""

    name: str


@process
def session(inbox: Mailbox[Typed | Heard], connection: Address[Show | Say | Rename]) -> None:
    """Interpret the lines of one client, and show it the lines of other members."""
    ignored: set[str] = set()
    for message in inbox:
        match message:
            case Heard(speaker, text):
                if speaker not in ignored:
                    connection.send(Show(f"{speaker}: {text}"))
            case Typed(line):
                match line.split(maxsplit=1):
                    case ["/name", name]:
                        connection.send(Rename(name))
                    case ["/ignore", name]:
                        ignored.add(name)
                    case ["/calc", expression]:
                        connection.send(Say(f"{expression} = {eval(expression)}"))  # noqa: S307 - this process holds no secrets
                    case ["/quit"]:
                        return
                    case [_, *_]:
                        connection.send(Say(line))


@attrs.define(eq=False)
class Member:
    """A member of the room."""

    name: str
    session: Address[Heard]


class Room:
    """The members of the room and their names."""

    def __init__(self) -> None:
        self._members: list[Member] = []
        self._guests = itertools.count(1)

    def enter(self, session: Address[Heard]) -> Member:
        """Add a member with a new name."""
        member = Member(f"guest{next(self._guests)}", session)
        self._members.append(member)
        self.announce(f"{member.name} is here")
        return member

    def leave(self, member: Member) -> None:
        """Remove a member."""
        self._members.remove(member)
        self.announce(f"{member.name} has left")

    def rename(self, member: Member, name: str) -> None:
        """Rename a member, if the name is valid and free."""
        if name.isidentifier() and len(name) <= 20 and name not in {ROOM, *(other.name for other in self._members)}:
            self.announce(f"{member.name} is now {name}")
            member.name = name

    def say(self, text: str, *, speaker: Member) -> None:
        """Send a line to all members except the speaker."""
        for member in self._members:
            if member is not speaker:
                member.session.send(Heard(speaker.name, text))

    def announce(self, text: str) -> None:
        """Send a line of the room to all members."""
        for member in self._members:
            member.session.send(Heard(ROOM, text))


async def serve(room: Room, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection until its client disconnects or its process ends."""
    desk = Mailbox[Show | Say | Rename | Down](messages=100, size=64 << 10)
    with contextlib.closing(writer), contextlib.suppress(ConnectionError):
        async with desk, LIMITS.spawn(session, desk.address) as p:
            desk.monitor(p.address)
            member = room.enter(p.address)
            reading = asyncio.create_task(read(reader, p.address))
            reading.add_done_callback(lambda _: p.kill())
            try:
                await attend(desk, room, member, writer)
            finally:
                reading.cancel()
                room.leave(member)


async def attend(
    desk: Mailbox[Show | Say | Rename | Down], room: Room, member: Member, writer: asyncio.StreamWriter
) -> None:
    """Carry out the requests of a session until it ends."""
    async for message in desk:
        # The session may have run untrusted code, so its messages are checked like a client's lines.
        match message:
            case Show(str(line)):
                await show(writer, line)
            case Say(str(text)):
                room.say(printable(text), speaker=member)
            case Rename(str(name)):
                room.rename(member, name)
            case Down(_, reason, words):
                await show(writer, f"goodbye ({reason}) {words}")
                return


async def read(reader: asyncio.StreamReader, session: Address[Typed]) -> None:
    """Pass the client's lines to its session, until the client disconnects or sends a line that is too long."""
    with contextlib.suppress(ConnectionError, ValueError):
        while line := await reader.readline():
            await session.send_async(Typed(printable(line.decode(errors="replace"))))
            await asyncio.sleep(PAUSE)


async def show(writer: asyncio.StreamWriter, line: str) -> None:
    """Show a line to the client; a slow client delays only its own connection."""
    writer.write(f"{printable(line)}\n".encode())
    await writer.drain()


def printable(text: str) -> str:
    """Return the printable characters of a text, as one line."""
    return "".join(c for c in text[:LONGEST_LINE] if c.isprintable()).strip()


async def main(port: int) -> None:
    """Serve on a port of the loopback interface; 0 takes any free port."""
    room = Room()
    server = await asyncio.start_server(
        lambda reader, writer: serve(room, reader, writer), "127.0.0.1", port, limit=LONGEST_LINE
    )
    async with server:
        print(f"listening on port {server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000))
