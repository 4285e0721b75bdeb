"""An executor for smolagents: the agent's code runs in a session, and its tools run in the host.

pip install capsend smolagents
agent = CodeAgent(tools=[search], model=model, executor=CapsendExecutor())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolagents.local_python_executor import CodeOutput, PythonExecutor

from capsend import Environment, Session, host_function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LIMITS = Environment(memory=256 << 20, timeout=30, output=64 << 10, stdout=None, stderr=None)


class CapsendExecutor(PythonExecutor):
    """Runs each action of an agent as a cell; variables are kept between actions."""

    def __init__(self, environment: Environment = LIMITS) -> None:
        self._session = Session(environment)
        self._answers: list[Any] = []

    def send_tools(self, tools: Mapping[str, Callable[..., Any]]) -> None:
        """Make the tools callable from the code; they run in the host, with copies of the arguments."""
        for name, tool in tools.items():
            self._session[name] = host_function(self._final(tool) if name == "final_answer" else _called(tool))

    def _final(self, tool: Callable[..., Any]) -> Callable[..., Any]:
        def final_answer(*args: Any, **kwargs: Any) -> Any:
            self._answers.append(tool(*args, **kwargs))
            self._session.interrupt()  # the rest of the cell is not needed

        return final_answer

    def send_variables(self, variables: Mapping[str, Any]) -> None:
        """Set globals, by value."""
        for name, value in variables.items():
            self._session[name] = value

    def __call__(self, code_action: str) -> CodeOutput:
        """Run an action; an error reaches the model as a traceback of its own code."""
        outcome = self._session.execute(code_action, display=True)
        if self._answers:
            return CodeOutput(self._answers.pop(), outcome.stdout, is_final_answer=True)
        if outcome.error is not None:
            raise RuntimeError(outcome.stdout + (outcome.traceback or str(outcome.error)))
        shown = outcome.value["text/plain"] if outcome.value else None
        return CodeOutput(shown, outcome.stdout, is_final_answer=False)

    def cleanup(self) -> None:
        """End the session."""
        self._session.close()


def _called(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that passes any arguments to the tool; the tool checks them."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return tool(*args, **kwargs)

    return call
