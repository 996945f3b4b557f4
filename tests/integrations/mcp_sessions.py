"""Sessions of the SDK's own client with `ppocr mcp`."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, TextContent, Tool

__all__ = ["MCP", "Calls", "Session", "call_over_http", "call_over_stdio", "http_server", "lines_of", "wrong"]

MCP = (str(Path(sys.executable).with_name("ppocr")), "mcp")
"""The command."""

Calls = Mapping[str, tuple[str, dict[str, Any]]]
"""Tools and their arguments, by a name for each call."""


class Session(NamedTuple):
    """What a server offers, and its answers.

    Attributes:
        tools: Its tools.
        answers: By the names of the calls.
    """

    tools: list[Tool]
    answers: dict[str, CallToolResult]


_ROOT = Path(__file__).parents[2]
_SECONDS = 120


def call_over_stdio(calls: Calls, *command: str, **environ: str) -> Session:
    """Start a command and call its tools one after the other, in one session."""
    return anyio.run(_call, _started(command, environ), calls)


def call_over_http(calls: Calls, url: str) -> Session:
    """Call tools of a server that runs, in one session."""
    return anyio.run(_call, url, calls)


@contextmanager
def http_server(*options: str) -> Iterator[int]:
    """Run `ppocr mcp --http`; yields its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [*MCP, "--http", "--port", str(port), *options]
    with subprocess.Popen(command, cwd=_ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            _wait_for(port, process)
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=_SECONDS)


def lines_of(result: CallToolResult) -> list[str]:
    """Return the rows of the text of a result that is no error."""
    assert not result.is_error, result
    return [line for block in result.content if isinstance(block, TextContent) for line in block.text.splitlines()]


def wrong(result: CallToolResult) -> str:
    """Return the one line of a result that is an error."""
    assert result.is_error
    (block,) = result.content
    assert isinstance(block, TextContent)
    (line,) = block.text.splitlines()
    return line


async def _call(server: StdioServerParameters | str, calls: Calls) -> Session:
    async with Client(server if isinstance(server, str) else stdio_client(server)) as client:
        answers = {name: await client.call_tool(tool, arguments) for name, (tool, arguments) in calls.items()}
        return Session((await client.list_tools()).tools, answers)


def _started(command: tuple[str, ...], environ: Mapping[str, str]) -> StdioServerParameters:
    return StdioServerParameters(
        command=command[0],
        args=list(command[1:]),
        env={**os.environ, **environ},
        cwd=_ROOT,
    )


def _wait_for(port: int, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + _SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"ppocr mcp does not listen; exit status {process.poll()}")
