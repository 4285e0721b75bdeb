"""Variables of the environment: a process has those that its `Environment` names, and no others."""

import os
import pickle

import pytest

from capsend import Environment
from tests.capabilities.pricing import result


def test_no_variable_is_inherited(monkeypatch):
    """Environment variables of this program do not reach a process."""
    monkeypatch.setenv("CAPSEND_SECRET", "1")
    assert result(lambda: dict(os.environ)) == {}


def test_variables_are_what_the_environment_says():
    """They are `os.environ` inside, any text included."""
    given = {"TZ": "UTC", "NAME": "Žofie = \N{SNOWMAN}", "EMPTY": ""}
    assert result(lambda: dict(os.environ), env=given) == given


def test_environment_keeps_its_variables():
    """Changing the dict afterwards changes nothing, and equal ones are equal."""
    given = {"A": "1"}
    environment = Environment(env=given)
    given["A"] = "2"
    assert environment.env == {"A": "1"}
    assert environment == Environment(env={"A": "1"}) != Environment(env=given)
    assert hash(environment) == hash(Environment(env={"A": "1"}))
    assert pickle.loads(pickle.dumps(environment)) == environment


def test_variables_are_not_shown():
    """A log must not contain secrets."""
    assert "hunter2" not in repr(Environment(env={"PASSWORD": "hunter2"}))


@pytest.mark.parametrize("env", [{"": "x"}, {"A=B": "x"}, {"A\0": "x"}, {"A": "\0"}, {"A": "\ud800"}])
def test_impossible_variable_is_refused_by_name(env):
    """The variable is refused where the environment is written."""
    with pytest.raises(ValueError, match=r"^env: .* cannot be a variable"):
        Environment(env=env)


@pytest.mark.parametrize("env", ["A=B", ["A"], {"A": 1}, {1: "A"}, {"A": None}])
def test_variables_of_the_wrong_type_are_refused(env):
    """A wrong type is an error where it is written; the value is not shown, it may be a secret."""
    with pytest.raises(TypeError, match=r"^env must"):
        Environment(env=env)
