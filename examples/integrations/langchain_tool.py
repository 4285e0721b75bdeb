"""A tool for LangChain: the model's Python code runs in a session.

pip install capsend langchain-core
agent = create_agent(model, tools=[python_tool(session)])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.tools import StructuredTool, ToolException

from capsend import Environment, Session

if TYPE_CHECKING:
    from capsend.outcome import Outcome

LIMITS = Environment(memory=256 << 20, timeout=10, output=64 << 10, stdout=None, stderr=None)


def python_tool(session: Session) -> StructuredTool:
    """Return a tool that runs code in a session; each conversation should have its own session."""

    def run_python(code: str) -> str:
        """Run Python code, and return what it prints and the value of its last expression. Variables are kept between calls."""
        return told(session.execute(code, display=True))

    async def run_python_async(code: str) -> str:
        return told(await session.execute_async(code, display=True))

    return StructuredTool.from_function(run_python, run_python_async, handle_tool_error=True)


def told(outcome: Outcome[dict[str, str] | None]) -> str:
    """Return an outcome as text for the model; an error is a traceback of the model's code."""
    if outcome.error is not None:
        raise ToolException(outcome.stdout + (outcome.traceback or str(outcome.error)))
    return outcome.stdout + (outcome.value["text/plain"] if outcome.value else "")
