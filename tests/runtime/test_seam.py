"""The core's hooks for processes on other machines, tried on this machine."""

from __future__ import annotations

import logging
import os

import pytest

import capsend
from capsend import Dir, Environment, Image, Mailbox, spawn
from capsend.capabilities.handles import grant_of
from capsend.exceptions import LimitExceeded, ProcessFailed, ProcessKilled, TimeLimitExceeded
from capsend.image import image as images
from capsend.mailbox.byte_messages import REASONS, message_of
from capsend.mailbox.envelopes import encode
from capsend.mailbox.ports import Envelope, Port, link
from capsend.runtime import running
from capsend.runtime.home import ThisProgram
from capsend.runtime.operations import OPERATIONS
from capsend.shipping.outcomes import error_of, outcome_of
from capsend.shipping.ship import ship

PATIENCE = 60


def test_watch_is_told_for_whom_it_is():
    """The owner of a watch is the port that is notified; on one machine all messages are in it anyway."""
    gone, own, told = Port("gone"), Port("own"), []
    gone.watch(lambda reason, words: told.append((reason, words)), owner=own)
    gone.close("killed", "why")
    assert told == [("killed", "why")]


def test_each_half_of_a_link_acts_on_its_own_port():
    """The half that a port follows ends with either port, and `unlink` undoes both."""
    one, other, ends = Port("one"), Port("other"), []
    other.on_exit = lambda gone, reason, _words: ends.append((gone.label, reason))
    link(one, other)
    one.close("failed")
    assert ends == [("one", "failed")]
    one, other, told = Port("one"), Port("other"), []
    one.on_exit = other.on_exit = lambda *_: told.append(1)
    link(one, other)()
    one.close("failed")
    other.close("failed")
    assert told == []


def test_names_in_a_message_belong_to_its_origin():
    """Objects that go from host to host are found by the origin of the message; a message of numbers needs none."""
    port = Port("p")
    assert encode([print], port).origin.resolve({"o": 0}) is print
    assert encode([1], port).origin is None


def test_number_and_home_of_a_life_can_be_given():
    """A process has the number that it is given in all its words, and answers to the home that it is given."""
    seen = []

    class Home(ThisProgram):
        """Keeps records."""

        def record(self, number: int, level: int, name: str, text: str) -> None:
            seen.append((number, level, name, text))

    def work() -> None:
        logging.getLogger("shop").warning("hello")
        raise SystemError

    environment = Environment()
    shipment = ship(work, (), {}, knows=environment.image.knows)
    before = []
    life = running.start(
        shipment,
        environment,
        environment.image.template,
        operations=OPERATIONS,
        number=777_777,
        home=Home(),
        before=before.append,
    )
    assert life.finished.wait(PATIENCE)
    with pytest.raises(SystemError) as caught:
        life.outcome()
    assert (before, life.number, life.mail.port.label) == ([life], 777_777, "process 777777")
    assert "process 777777" in str(caught.value.__cause__)
    assert seen == [(777_777, logging.WARNING, "shop", "hello")]


@pytest.mark.parametrize(
    "error",
    [
        ProcessKilled("gone"),
        ProcessFailed("fault", type_name="trap", guest_message="out"),
        TimeLimitExceeded("late", limit=2.5),
        LimitExceeded("much", limit=3),
    ],
)
def test_error_of_an_outcome_is_the_error_again(error):
    """`error_of` is the inverse of `outcome_of`."""
    back, reason = error_of(outcome_of(error, number=1, reason="limit").text)
    assert (type(back), str(back), vars(back), reason) == (type(error), str(error), vars(error), "limit")


@pytest.mark.parametrize(
    "text", ["", "[]", "[1,2,3,4]", '["Exit","a","b",{}]', '["ProcessKilled","a",1,{}]', '["ProcessKilled","a","b",[]]']
)
def test_text_that_is_no_outcome_is_refused(text):
    """Only the errors of the table are made, whatever a peer writes."""
    with pytest.raises(ValueError, match="malformed outcome"):
        error_of(text)


def test_unknown_reason_is_not_told_as_a_normal_end():
    """A guest in any language sees an end that it has no word for as a failure."""
    codes = [message_of(Envelope(f'["{reason}", ""]', kind="d")).extra for reason in ("closed", "lost", "who knows")]
    assert codes == [0, REASONS.index("lost"), REASONS.index("failed")]


def test_grant_says_why_it_stays(tmp_path):
    """A folder stays on its machine, a host function does unless it is made to be called from elsewhere, an address goes."""

    def double(n: int) -> int:
        return 2 * n

    here, anywhere = capsend.host_function(double), capsend.host_function(double, remote=True)
    with Mailbox[int]() as inbox:
        stays = [
            grant_of(thing).stays for thing in (Dir(tmp_path), here, anywhere, anywhere.limited(calls=1), inbox.address)
        ]
    assert ["a folder of this machine" in stays[0], "remote=True" in stays[1], *stays[2:]] == [True, True, "", "", ""]
    assert spawn(lambda: anywhere(21)).result(PATIENCE) == 42


def test_content_key_does_not_depend_on_the_machine(monkeypatch):
    """Two machines agree on what an image holds, although each builds its own."""
    image = Image()
    before = (image.content_key, image.key)
    monkeypatch.setattr(images, "cpu", lambda: "another")
    assert image.content_key == before[0]
    assert image.key != before[1]


def test_environment_runs_its_processes_where_it_says():
    """The place in `on` starts the life, and this program loads no image; an object that is not a place is refused."""

    class Elsewhere:
        cpus = 3

        def start(self, shipment, environment):
            return running.start(shipment, environment, environment.image.template, operations=OPERATIONS)

    place = Elsewhere()
    p = Environment(on=place).spawn(os.getcwd)
    assert (p.result(PATIENCE), p.node) == ("/", None)
    with capsend.Executor(environment=Environment(on=place)) as executor:
        assert executor._workers._most == 3
    with pytest.raises(TypeError, match="on must be a Cluster"):
        Environment(on=7)
    with pytest.raises(ValueError, match="runs in this program"):
        capsend.Session(Environment(on=place))
