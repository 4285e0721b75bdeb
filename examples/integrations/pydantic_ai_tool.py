"""A tool for pydantic-ai: the model's Python code runs in a session, one for each run of the agent.

pip install capsend pydantic-ai
agent = Agent("openai:gpt-5", deps_type=Session, tools=[run_python])
with Session(LIMITS) as session:
    agent.run_sync("What is the 1000th prime?", deps=session)
"""

from __future__ import annotations

from pydantic_ai import ModelRetry, RunContext

from capsend import Environment, Session

LIMITS = Environment(memory=256 << 20, timeout=10, output=64 << 10, stdout=None, stderr=None)


async def run_python(ctx: RunContext[Session], code: str) -> str:
    """Run Python code, and return what it prints and the value of its last expression. Variables are kept between calls.

    Args:
        ctx: the run, whose dependency is the session.
        code: the code.
    """
    outcome = await ctx.deps.execute_async(code, display=True)
    if outcome.error is not None:
        message = outcome.stdout + (outcome.traceback or str(outcome.error))
        raise ModelRetry(message)
    return outcome.stdout + (outcome.value["text/plain"] if outcome.value else "")
