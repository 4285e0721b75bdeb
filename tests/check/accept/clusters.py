"""Processes on nodes are spawned as others are; a function of the host that is made for it can be called from there."""

from typing import assert_type

from capsend import Cluster, Environment, Executor, host_function

LOG: list[str] = []


@host_function(remote=True)
def note(text: str) -> int:
    LOG.append(text)
    return len(LOG)


def length(text: str) -> int:
    return note(text) and len(text)


def run() -> None:
    with Cluster.local(1) as cluster:
        anywhere = Environment(on=cluster)
        one = Environment(on=cluster.nodes[0]).spawn(length, "abc")
        assert_type(one.result(), int)
        assert anywhere.spawn(lambda: note("one")).result() == 2
        with Executor(environment=anywhere) as executor:
            assert list(executor.map(length, ["a", "bc"])) == [1, 2]
    assert LOG == ["abc", "one", "a", "bc"] or LOG == ["abc", "one", "bc", "a"]
