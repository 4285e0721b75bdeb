"""A code-execution tool for MCP clients: each tool call is a cell of one session, with limits.

pip install capsend mcp
python mcp_server.py            # an MCP server on standard input and output
"""

from __future__ import annotations

from mcp.server import MCPServer

from capsend import Environment, Session

LIMITS = Environment(memory=256 << 20, timeout=10, output=64 << 10)


def make_server() -> MCPServer:
    """Return a server with two tools: one runs Python in a session, the other starts the session again."""
    server = MCPServer("capsend")
    session = Session(LIMITS)

    @server.tool()
    async def run_python(code: str) -> str:
        """Run Python code; variables are kept between calls. Returns JSON: value, stdout, stderr, error."""
        outcome = await session.execute_async(code)
        return outcome.to_json()

    @server.tool()
    def reset_python() -> str:
        """Forget all variables."""
        session.reset()
        return "begun anew"

    return server


if __name__ == "__main__":
    make_server().run()
