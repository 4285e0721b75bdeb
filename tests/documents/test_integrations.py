"""The integrations of `examples/integrations`, against the real packages."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "integrations"


def load(name: str) -> Any:
    """Import an example."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_mcp_client_runs_python_in_a_session() -> None:
    """Variables are kept between calls, errors and limits are reported, and no call ends the server."""
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


def needs(*packages: str) -> None:
    """Skip a test where a package is missing that it integrates with."""
    for package in packages:
        pytest.importorskip(package, reason="pip install '.[integrations]'")


def test_smolagents_agent_computes_with_tools_until_it_has_its_answer() -> None:
    """Variables stay, tools run in the host, errors come back to the model, and the answer ends the cell."""
    needs("smolagents")
    import smolagents

    executor = load("smolagents_executor").CapsendExecutor()
    seen: list[str] = []

    class Price(smolagents.Tool):  # type: ignore[misc] # the package has no types
        name = "price"
        description = "Returns a price."
        inputs = {"sku": {"type": "string", "description": "what"}}
        output_type = "integer"

        def forward(self, sku: str) -> int:
            seen.append(sku)
            return {"tea": 3}[sku]

    actions = iter(
        [
            "x = price(sku='tea') * 2\nprint('seen', x)",
            "x / 0",
            "try:\n    final_answer(x + 1)\nexcept Exception: pass\nx = 'not reached'",
        ]
    )

    class Scripted(smolagents.models.Model):  # type: ignore[misc] # as above
        def generate(self, messages: Any, **_: Any) -> Any:
            self.messages = messages
            return smolagents.ChatMessage(role="assistant", content=f"Thought: go on\n<code>\n{next(actions)}\n</code>")

    model = Scripted()
    agent = smolagents.CodeAgent(tools=[Price()], model=model, executor=executor, verbosity_level=0)
    assert agent.run("What is it?") == 7
    assert seen == ["tea"]
    assert "ZeroDivisionError" in str(model.messages)
    assert executor("x").output == "6"
    agent.cleanup()


def test_pydantic_ai_agent_runs_python_in_its_session() -> None:
    """The model gets output, value and tracebacks; the variables stay."""
    needs("pydantic_ai")
    from pydantic_ai import Agent, ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import FunctionModel

    example = load("pydantic_ai_tool")
    codes = iter(["x = 20\nprint('hi')\nx", "x / 0", "x + 1"])
    told: list[Any] = []

    def answer(messages: Any, _info: Any) -> ModelResponse:
        told.append(messages[-1].parts[0].content)
        code = next(codes, None)
        return ModelResponse(parts=[TextPart("done") if code is None else ToolCallPart("run_python", {"code": code})])

    agent = Agent(FunctionModel(answer), deps_type=example.Session, tools=[example.run_python])
    with example.Session(example.LIMITS) as session:
        assert asyncio.run(agent.run("Go.", deps=session)).output == "done"
    assert told[1] == "hi\n20"
    assert "ZeroDivisionError" in told[2]
    assert told[3] == "21"


def test_langchain_tool_runs_python_in_a_session() -> None:
    """From both kinds of code; an error is told to the model."""
    needs("langchain_core")
    example = load("langchain_tool")
    with example.Session(example.LIMITS) as session:
        tool = example.python_tool(session)
        assert tool.name == "run_python"
        assert tool.args["code"]["type"] == "string"
        assert tool.invoke({"code": "x = 20\nprint('hi')\nx"}) == "hi\n20"
        assert asyncio.run(tool.ainvoke({"code": "x + 1"})) == "21"
        assert "ZeroDivisionError" in tool.invoke({"code": "x / 0"})


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A manager of the kernel, installed for this test only."""
    needs("jupyter_client", "nbclient")
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    load("jupyter_kernel").install(prefix=str(tmp_path))
    specs = KernelSpecManager(kernel_dirs=[str(tmp_path / "share/jupyter/kernels")], ensure_native_kernel=False)
    return AsyncKernelManager(kernel_name="capsend", kernel_spec_manager=specs)


def test_notebook_runs_in_a_session(kernel: Any) -> None:
    """Output streams, values show themselves, errors have the cell's own lines."""
    import nbclient
    import nbformat

    cells = [
        "import sys\nx = 41\nprint('seen')\nprint('err', file=sys.stderr)",
        "class Table:\n    def _repr_html_(self): return '<table>'\nx + 1",
        "Table()",
        "def f():\n    return 1 / 0\nf()",
        "import asyncio\nawait asyncio.sleep(0.01, x)",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])

    async def run() -> None:
        notebook = nbclient.NotebookClient(book, km=kernel, allow_errors=True, timeout=60)
        try:
            await notebook.async_execute()
        finally:  # the client ends only a kernel that it has made itself
            if notebook.kc is not None:
                notebook.kc.stop_channels()
            await kernel.shutdown_kernel()
            kernel.context.destroy(linger=0)

    asyncio.run(run())
    outputs = [cell.outputs for cell in book.cells]
    assert {output["name"]: output["text"] for output in outputs[0]} == {"stdout": "seen\n", "stderr": "err\n"}
    assert outputs[1][0]["data"] == {"text/plain": "42"}
    assert outputs[2][0]["data"]["text/html"] == "<table>"
    assert outputs[3][0]["ename"] == "ZeroDivisionError"
    assert any("return 1 / 0" in line for line in outputs[3][0]["traceback"])
    assert outputs[4][0]["data"] == {"text/plain": "41"}


def test_interrupted_notebook_keeps_its_variables(kernel: Any) -> None:
    """As a kernel does."""

    async def run() -> tuple[str, str]:
        await kernel.start_kernel()
        client = kernel.client()
        client.start_channels()
        await client.wait_for_ready(timeout=60)
        try:
            await client.execute("x = 1", reply=True, timeout=60)
            asked = client.execute("print('begun', flush=True)\nwhile True: pass")
            while (await client.get_iopub_msg(timeout=60))["content"].get("text") != "begun\n":
                pass
            await kernel.interrupt_kernel()
            while (interrupted := await client.get_shell_msg(timeout=60))["parent_header"]["msg_id"] != asked:
                pass
            client.execute("print(x)")
            while (text := (await client.get_iopub_msg(timeout=60))["content"].get("text")) is None:
                pass
            return interrupted["content"]["ename"], text
        finally:
            client.stop_channels()
            await kernel.shutdown_kernel()
            kernel.context.destroy(linger=0)

    assert asyncio.run(run()) == ("KeyboardInterrupt", "1\n")


def test_marked_tests_run_in_a_process(tmp_path: Path) -> None:
    """With fixtures by value, limits, and tracebacks; the others run as ever."""
    (tmp_path / "test_it.py").write_text(
        """
import os
import pytest

@pytest.fixture
def sample():
    return {"a": [1, 2]}

@pytest.mark.capsend
def test_passes(sample):
    sample["a"].append(3)
    print("from inside")
    assert os.environ.get("HOME") is None

@pytest.mark.capsend
@pytest.mark.parametrize("n", [1, 2])
def test_fails(n):
    assert n == 1, "n is not 1"

@pytest.mark.capsend(timeout=0.5)
def test_takes_too_long():
    while True:
        pass

class TestGroup:
    @pytest.mark.capsend
    def test_method(self, sample):
        assert sample["a"] == [1, 2]

def test_outside():
    assert os.environ.get("HOME") is not None
""",
        encoding="utf-8",
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "pytest_capsend",
        "-p",
        "no:cacheprovider",
        "--strict-markers",
        "-rA",
    ]
    added = {"PYTHONPATH": str(FOLDER), "HOME": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment = {**os.environ, **added}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert "2 failed, 4 passed" in done.stdout, done.stdout + done.stderr
    assert "AssertionError: n is not 1" in done.stdout
    assert "timeout of 0.5 s" in done.stdout
    assert "from inside" in done.stdout


def test_service_answers_fifty_requests_at_once() -> None:
    """Each has its own outcome, and hostile requests harm no others."""
    needs("fastapi", "httpx")
    import httpx

    example = load("fastapi_service")
    programs = [{"code": "print(n)\nn * 2", "inputs": {"n": n}} for n in range(47)]
    programs += [{"code": "while True: pass"}, {"code": "x = ("}, {"code": "import os\nos._exit(1)"}]

    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=example.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service", timeout=120) as client:
            return await asyncio.gather(*(client.post("/run", json=program) for program in programs))

    answers = asyncio.run(run())
    assert [answer.json()["value"] for answer in answers[:47]] == [2 * n for n in range(47)]
    assert [answer.json()["stdout"] for answer in answers[:47]] == [f"{n}\n" for n in range(47)]
    assert answers[47].json()["error"]["type"] == "TimeLimitExceeded"
    assert answers[48].status_code == 422
    assert answers[49].json()["exit_reason"] == "trap"
