"""The integrations of `examples/integrations`, against the real packages."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "integrations"


def load(name: str) -> Any:
    """Import an example."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_mcp_client_runs_python_in_a_session() -> None:
    """Variables stay from call to call, errors and limits are told, and nothing ends the server."""
    mcp = pytest.importorskip("mcp", reason="pip install mcp")

    async def run() -> None:
        async with mcp.Client(load("mcp_server").make_server()) as client:

            async def told(code: str) -> dict[str, Any]:
                answer = await client.call_tool("run_python", {"code": code})
                found: dict[str, Any] = json.loads(answer.content[0].text)
                return found

            assert (await told("x = 41\nprint('seen')"))["stdout"] == "seen\n"
            assert (await told("x + 1"))["value"] == 42
            assert (await told("1 / 0"))["error"]["type"] == "ZeroDivisionError"
            assert (await told("import sys\nsys.exit()"))["error"] is not None
            await client.call_tool("reset_python", {})
            assert (await told("x"))["error"]["type"] == "NameError"

    asyncio.run(run())
