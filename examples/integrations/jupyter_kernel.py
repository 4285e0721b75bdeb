"""A Jupyter kernel whose cells run in a session: untrusted notebooks, without a container.

pip install capsend jupyter-client
python jupyter_kernel.py install          # then choose the kernel "Python (capsend)"
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.session import Session as Wire
from zmq import SocketType
from zmq.asyncio import Context

from capsend import Environment, Session

LIMITS = Environment(memory=1 << 30, timeout=None, cpu=None, output=16 << 20)
SPEC = {
    "argv": [sys.executable, str(Path(__file__).resolve()), "{connection_file}"],
    "display_name": "Python (capsend)",
    "language": "python",
    "interrupt_mode": "message",
}
INFO = {
    "status": "ok",
    "protocol_version": "5.3",
    "implementation": "capsend",
    "implementation_version": "1",
    "language_info": {"name": "python", "version": "3.14", "mimetype": "text/x-python", "file_extension": ".py"},
    "banner": "Python in a capsend session",
}


class Kernel:
    """Serves one connection; its state is that of a session."""

    def __init__(self, connection: dict[str, Any]) -> None:
        self._wire = Wire(key=connection["key"].encode(), signature_scheme=connection["signature_scheme"])
        self._session = Session(LIMITS)
        self._count = 0
        self._is_over = asyncio.Event()
        context = Context()
        kinds = dict.fromkeys(("shell", "control", "stdin"), SocketType.ROUTER)
        kinds |= {"iopub": SocketType.PUB, "hb": SocketType.REP}
        self._sockets = {name: context.socket(kind) for name, kind in kinds.items()}
        for name, socket in self._sockets.items():
            socket.linger = 1000
            socket.bind(f"{connection['transport']}://{connection['ip']}:{connection[f'{name}_port']}")

    async def serve(self) -> None:
        """Answer requests until a client requests the shutdown."""
        tasks = [asyncio.create_task(self._answer(name)) for name in ("shell", "control")]
        tasks.append(asyncio.create_task(self._beat()))
        await self._is_over.wait()
        for task in tasks:
            task.cancel()
        self._session.close()
        for socket in self._sockets.values():
            socket.close()

    async def _beat(self) -> None:
        while True:
            await self._sockets["hb"].send(await self._sockets["hb"].recv())

    async def _answer(self, name: str) -> None:
        socket = self._sockets[name]
        while True:
            identities, parts = self._wire.feed_identities(await socket.recv_multipart())
            request = self._wire.deserialize(parts)
            kind = request["msg_type"].removesuffix("_request")
            self._tell(request, "status", {"execution_state": "busy"})
            content = await getattr(self, f"_{kind}", self._unknown)(request)
            self._wire.send(socket, f"{kind}_reply", content, parent=request, ident=identities)
            self._tell(request, "status", {"execution_state": "idle"})
            if kind == "shutdown":
                self._is_over.set()

    def _tell(self, request: dict[str, Any], kind: str, content: dict[str, Any]) -> None:
        self._wire.send(self._sockets["iopub"], kind, content, parent=request, ident=kind.encode())

    async def _execute(self, request: dict[str, Any]) -> dict[str, Any]:
        asked = request["content"]
        self._count += not asked["silent"]
        count = {"execution_count": self._count}
        self._tell(request, "execute_input", {"code": asked["code"], **count})
        loop = asyncio.get_running_loop()

        def show(stream: str, text: str) -> None:
            loop.call_soon_threadsafe(self._tell, request, "stream", {"name": stream, "text": text})

        outcome = await self._session.execute_async(
            asked["code"],
            stdout=lambda text: show("stdout", text),
            stderr=lambda text: show("stderr", text),
            display=True,
        )
        if outcome.error is not None:
            told = json.loads(outcome.to_json())["error"]
            lines = (told["traceback"] or told["message"]).splitlines()
            told = {"ename": told["type"], "evalue": told["message"], "traceback": lines}
            self._tell(request, "error", told)
            if self._session.process.done():
                self._session.reset()
            return {"status": "error", **told, **count}
        if outcome.value and not asked["silent"]:
            self._tell(request, "execute_result", {"data": outcome.value, "metadata": {}, **count})
        return {"status": "ok", "payload": [], "user_expressions": {}, **count}

    async def _kernel_info(self, _request: dict[str, Any]) -> dict[str, Any]:
        return INFO

    async def _interrupt(self, _request: dict[str, Any]) -> dict[str, Any]:
        self._session.interrupt()
        return {"status": "ok"}

    async def _shutdown(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"status": "ok", "restart": request["content"]["restart"]}

    async def _comm_info(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"status": "ok", "comms": {}}

    async def _is_complete(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"status": "unknown"}

    async def _unknown(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"status": "error", "ename": "NotImplementedError", "evalue": "", "traceback": []}


async def main(connection: dict[str, Any]) -> None:
    """Serve the connection that a connection file of Jupyter describes."""
    await Kernel(connection).serve()


def install(**where: Any) -> str:
    """Install the kernel's description; returns its folder."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "kernel.json").write_text(json.dumps(SPEC), encoding="utf-8")
        return str(KernelSpecManager().install_kernel_spec(folder, "capsend", **where))


if __name__ == "__main__":
    if sys.argv[1:] == ["install"]:
        print(install(user=True))
    else:
        asyncio.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
