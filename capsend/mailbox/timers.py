"""Messages that are sent later."""

from __future__ import annotations

import threading
from typing import Final

from capsend.deadlines import Deadlines
from capsend.mailbox.ports import Account, Envelope, Offer, Port

_timers: Final = Deadlines()


class Timer:
    """A message that will be sent later; if the mailbox has no room then, the message is dropped and counted by the mailbox."""

    __slots__ = ("_account", "_claimed", "_deadline", "_envelope", "_port", "number")

    def __init__(self, seconds: float, port: Port, envelope: Envelope, *, account: Account | None = None) -> None:
        """Arm the timer; `Address.send_after` calls this, users do not."""
        self._claimed = threading.Lock()
        self._port = port
        self._account = account
        self._envelope: Envelope | None = envelope
        self._deadline = _timers.add(max(seconds, 0.0), self._send)
        self.number: int = self._deadline.number

    @property
    def size(self) -> int:
        """The bytes that the message is charged; 0 when the message is gone."""
        envelope = self._envelope
        return 0 if envelope is None else envelope.size

    def cancel(self) -> bool:
        """Cancel the message; return whether the cancellation came in time."""
        if not self._claimed.acquire(blocking=False):
            return False
        self._deadline.cancel()
        self._take()
        return True

    def _take(self) -> Envelope | None:
        envelope, self._envelope = self._envelope, None
        if envelope is not None and self._account is not None:
            self._account.give_mail(envelope.size, urgent=False)
            self._account.tell_waiting()
        return envelope

    def _send(self) -> None:
        if self._claimed.acquire(blocking=False):
            envelope = self._take()
            if envelope is not None and self._port.offer(envelope) in {Offer.FULL, Offer.TOO_LARGE}:
                self._port.dropped += 1
