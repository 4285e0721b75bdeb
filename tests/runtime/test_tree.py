"""The tree of processes: what is charged to whom, and that all of it is given back."""

from __future__ import annotations

import json
import sys

import attrs
import pytest

from capsend import Environment, LimitExceeded
from capsend.mailbox.bounds import OVERHEAD
from capsend.mailbox.ports import Envelope, Offer, Port
from capsend.runtime.children import CHILD_MEMORY, narrow
from capsend.runtime.tree import HUSK, MAIL_FACTOR, Branch, NoRoom, budget_of

MIB = 1 << 20
PATIENCE = 60


@attrs.define(eq=False)
class Member:
    """Represents a process."""

    number: int
    seconds: float = 0.0
    is_ending: bool = False
    stopped: list[BaseException] = attrs.field(factory=list)

    def cpu_seconds(self):
        return self.seconds

    def stop_alone(self, error):
        self.stopped.append(error)


def grow(parent, number, budget, **member):
    """One more branch below another."""
    parent.reserve(10)
    return Branch(Member(number, **member), budget, parent=parent, memory=10)


BUDGET = {"processes": 3, "memory": 100, "mail": 1_000, "answers": 1_000, "results": 50, "output": 20}


def test_child_is_charged_to_everybody_above_it():
    """A grandchild counts for its parent and for its parent's parent."""
    root = Branch(Member(1), BUDGET)
    child = grow(root, 2, BUDGET)
    grow(child, 3, BUDGET)
    assert [root.used("processes"), child.used("processes")] == [2, 1]
    assert [root.used("memory"), child.used("memory")] == [20, 10]


@pytest.mark.parametrize(("resource", "most"), [("processes", 1), ("memory", 15)])
def test_child_that_somebody_above_cannot_have_is_charged_to_nobody(resource, most):
    """The error names who cannot have it."""
    root = Branch(Member(1), {**BUDGET, resource: most})
    child = grow(root, 2, BUDGET)
    with pytest.raises(NoRoom, match=r"process 1\b") as caught:
        child.reserve(10)
    assert caught.value.branch is root
    assert [child.used(each) for each in ("processes", "memory")] == [0, 0]
    assert [root.used(each) for each in ("processes", "memory")] == [1, 10]


def test_ended_child_gives_back_all_but_its_time_and_its_output():
    """A parent cannot get more CPU time or output by spawning one child after the other."""
    root = Branch(Member(1, seconds=1.0), BUDGET)
    child = grow(root, 2, BUDGET, seconds=2.0)
    child.take_most("output", 5)
    child.end()
    child.end()
    child.drop_result(abandon=True)
    child.drop_result(abandon=True)
    assert {each: root.used(each) for each in BUDGET} == dict.fromkeys(BUDGET, 0) | {"output": 5}
    assert root.cpu_seconds() == 3.0


def test_ended_child_is_charged_a_little_until_it_is_let_go():
    """A process that spawns and holds what has ended comes to an end of its memory."""
    root = Branch(Member(1), {**BUDGET, "memory": 10 * HUSK})
    root.reserve(3 * HUSK)
    child = Branch(Member(2), BUDGET, parent=root, memory=3 * HUSK)
    child.end()
    assert root.used("memory") == HUSK
    child.drop_result(abandon=True)
    assert root.used("memory") == 0


def test_what_an_ended_child_leaves_running_is_still_found():
    """A process whose parent has ended belongs to its parent's parent until it has ended too."""
    root = Branch(Member(1), BUDGET)
    child = grow(root, 2, BUDGET)
    grandchild = grow(child, 3, BUDGET, is_ending=True, seconds=4.0)
    child.end()
    assert [member.number for member in root.descendants()] == [3]
    assert root.has_ending()
    assert root.cpu_seconds() == 4.0
    grandchild.end()
    assert root.descendants() == []
    assert root.used("processes") == 0


def test_output_is_allowed_as_far_as_everybody_above_has_room():
    """Output beyond the limit counts too, so that no process gets a second last line."""
    root = Branch(Member(1), BUDGET)
    children = [grow(root, number, BUDGET) for number in (2, 3)]
    assert [child.take_most("output", 15) for child in children] == [15, 5]
    assert root.take_most("output", 1) == 0


def test_results_that_wait_are_charged_until_they_are_taken():
    """Results that can no longer be taken are not kept."""
    root = Branch(Member(1), BUDGET)
    one, other = (grow(root, number, BUDGET) for number in (2, 3))
    one.hold_result(20)
    one.hold_result(30)
    with pytest.raises(NoRoom, match="results"):
        other.hold_result(21)
    one.drop_result()
    other.hold_result(50)
    other.drop_result(abandon=True)
    with pytest.raises(NoRoom):
        other.hold_result(1)
    assert root.used("results") == 0


def message(size):
    """A message that is charged so much."""
    return Envelope("s" * (size - OVERHEAD))


def test_messages_for_all_children_share_a_budget_and_senders_are_told_of_room():
    """A port with free room is full when the tree is, and its first sender tries again when another port is emptied."""
    root = Branch(Member(1), BUDGET)
    full, waited_for = (Port(label) for label in ("one", "other"))
    full.account = waited_for.account = root
    woken = []
    assert full.offer(message(900)) is Offer.ACCEPTED
    waiter = waited_for.enter(lambda: woken.append(1))
    assert waited_for.offer(message(300), waiter) is Offer.FULL
    assert woken == []
    full.take()
    assert woken
    assert waited_for.offer(message(300), waiter) is Offer.ACCEPTED
    waited_for.close("normal")
    assert root.used("mail") == 0


@pytest.mark.parametrize(("policy", "answer"), [("fail", Offer.REFUSED), ("drop_oldest", Offer.ACCEPTED)])
def test_policy_of_a_mailbox_holds_for_the_budget_of_the_tree(policy, answer):
    """A message without room is refused, or replaces the oldest one."""
    root = Branch(Member(1), BUDGET)
    port = Port("one", policy=policy)
    port.account = root
    port.offer(message(700))
    assert port.offer(message(800)) is answer
    assert (root.used("mail"), port.dropped) == (800 if answer is Offer.ACCEPTED else 700, 1)


def test_mailbox_is_not_emptied_for_room_that_others_have_taken():
    """If dropping the messages of this port would not make enough room, only the new message is dropped."""
    root = Branch(Member(1), BUDGET)
    flooded, quiet = Port("one"), Port("other", policy="drop_oldest")
    flooded.account = quiet.account = root
    flooded.offer(message(720))
    quiet.offer(message(260))
    assert quiet.offer(message(300)) is Offer.REFUSED
    assert (len(quiet), quiet.dropped) == (1, 1)


def test_end_of_a_process_makes_room_for_messages_to_others():
    """Its mailbox is freed, and senders that waited for room try again."""
    root = Branch(Member(1), BUDGET)
    full, waited_for = (Port(label) for label in ("one", "other"))
    full.account = waited_for.account = root
    full.offer(message(900))
    woken = []
    waiter = waited_for.enter(lambda: woken.append(1))
    assert waited_for.offer(message(300), waiter) is Offer.FULL
    full.close("killed")
    assert woken
    assert waited_for.offer(message(300), waiter) is Offer.ACCEPTED


def test_answers_to_calls_have_a_budget_of_their_own():
    """No flood of messages keeps them out."""
    root = Branch(Member(1), BUDGET)
    port = Port("one")
    port.account = root
    port.offer(message(1_000))
    assert port.open_call(7)
    assert port.offer(Envelope("s", tag=7)) is Offer.ACCEPTED
    port.close("normal")
    assert (root.used("mail"), root.used("answers")) == (0, 0)


def test_answer_that_is_not_waited_for_any_more_is_dropped():
    """A process that opens and forgets calls without end keeps nothing."""
    port = Port("one")
    for tag in range(1, 5):
        assert port.open_call(tag)
        port.notify(Envelope("[]", kind="d", tag=tag))
        port.forget_answer(tag)
    assert port.take() is None


SMALL = Environment(
    memory=256 * MIB, timeout=10.0, cpu=5.0, output=1_000, result=2_000, mailbox=10, mailbox_bytes=4_096, processes=7
)


def test_child_has_what_its_parent_has_where_nothing_is_said():
    """But less memory, and no variable of the environment."""
    parent = attrs.evolve(SMALL, env={"KEY": "secret"})
    child = narrow(parent, {})
    assert child == attrs.evolve(SMALL, memory=CHILD_MEMORY, env={}, tree_memory=2048 * MIB)
    assert narrow(attrs.evolve(parent, memory=64 * MIB), {}).memory == 64 * MIB


NARROWER = {
    "memory": 100 * MIB,
    "timeout": 1,
    "cpu": 0.5,
    "output": 0,
    "result": 1_024,
    "mailbox": 1,
    "mailbox_bytes": 1_024,
    "processes": 0,
    "tree_memory": 0,
}


@pytest.mark.parametrize(("name", "value"), NARROWER.items())
def test_child_can_have_less_of_everything(name, value):
    """Each limit can be lowered."""
    assert getattr(narrow(SMALL, {name: value}), name) == value


@pytest.mark.parametrize("name", NARROWER)
def test_child_cannot_have_more_of_anything(name):
    """Asking for more than the parent has is an error, and so is asking for none where the parent has a limit."""
    most = 2048 * MIB if name == "tree_memory" else getattr(SMALL, name)
    assert getattr(narrow(SMALL, {name: most}), name) == most
    with pytest.raises(LimitExceeded, match=f"{name}=.* is more than the"):
        narrow(SMALL, {name: most + 1})


@pytest.mark.parametrize("name", ["timeout", "cpu"])
def test_child_without_a_limit_of_time_has_its_parents(name):
    """None means that the child sets no limit."""
    assert getattr(narrow(SMALL, {name: None}), name) == getattr(SMALL, name)
    assert narrow(Environment(timeout=None), {"timeout": 5}).timeout == 5


@pytest.mark.parametrize(
    "limits", [{"memory": "1"}, {"image": 1}, {"stdout": None}, {"env": 3}, {"timeout": -1}, {"mailbox_full": []}]
)
def test_nonsense_is_no_limit_of_a_child(limits):
    """Types and ranges are those of an environment, and what a process has no say in cannot be named."""
    with pytest.raises((TypeError, ValueError)):
        narrow(SMALL, limits)


def test_budget_of_an_environment_is_bounded_by_its_fields():
    """Eight times the memory, four times the mailbox, and once everything else."""
    budget = budget_of(SMALL)
    assert budget["memory"] == 2048 * MIB
    assert budget["mail"] == MAIL_FACTOR * 4_096
    assert (budget["processes"], budget["results"], budget["output"]) == (7, 2_000, 1_000)
    assert budget_of(attrs.evolve(SMALL, tree_memory=5))["memory"] == 5


def spawn_with_variables(size: int) -> str:
    """Spawn a child with variables of this size together, past capsend's own code in the process; return what the host says."""
    variables = json.dumps({f"V{n}": "x" * (size // 2_000) for n in range(2_000)})
    program = '{"entry":{"n":["time","sleep"]},"steps":[]}'
    limits = f'"limits":{{"memory":{64 * MIB},"env":{variables}}}'
    answer: str = sys.modules["wit_world"].host(50, f'{{"name":"x",{limits}}}\n{program}\n0:c[[50],{{}}]')
    return answer


def test_variables_of_children_are_charged() -> None:
    """The host keeps them as long as the child lives: they have their place in `tree_memory`, beside the memory of the child."""
    environment = Environment(memory=256 * MIB, timeout=PATIENCE, stdout=None, stderr=None)
    for tree_memory, start in ((66 * MIB, "!limit"), (90 * MIB, "[[")):
        said = environment.replace(tree_memory=tree_memory).spawn(spawn_with_variables, 1_900_000).result(PATIENCE)
        assert said.startswith(start)
