"""Offer OCR as tools to language models, over the Model Context Protocol (MCP)."""

import argparse
import os
from collections.abc import Sequence
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from ppocr_serving.cli.commands import PROGRAM
from ppocr_serving.cli.usage import INTERRUPTED
from ppocr_serving.errors import InvalidRequest, OcrError

__all__ = ["build_parser", "main"]

_DEFAULT_PORT: Final = 9010
_EXAMPLES: Final = f"""examples:
  {PROGRAM} mcp --root ~/Documents
  {PROGRAM} mcp --url http://127.0.0.1:9000
  {PROGRAM} mcp --http --port {_DEFAULT_PORT}

Settings are environment variables (PPOCR_*), as for the server. A server's key is taken from PPOCR_API_KEY.
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of its options."""
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} mcp",
        description="Offer the tools read_text, read_document and describe_server to the program that starts this "
        "command, on its standard input and output; or over HTTP.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--root",
        dest="roots",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="folder whose files may be named by their path; may be repeated. Without it, files are sent as base64",
    )
    parser.add_argument("--url", help="have this server read the files; without it, this process reads them")
    parser.add_argument("--http", action="store_true", help="serve at http://HOST:PORT/mcp, without access control")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on with --http (default %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=_DEFAULT_PORT, help="port to listen on with --http (default %(default)s)"
    )
    parser.add_argument(
        "--allowed-host",
        dest="names",
        action="append",
        default=[],
        metavar="NAME[:PORT]",
        help="further name by which clients call this machine with --http; may be repeated",
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run `ppocr mcp`.

    Args:
        arguments: What follows `mcp`.

    Returns:
        0 once the client has left, 1 if it cannot be started, 2 for wrong usage, 130 if interrupted.
    """
    options = build_parser().parse_args(arguments)
    if find_spec("mcp") is None:
        _complain("needs the package mcp; run pip install 'ppocr-serving[mcp]'")
        return 1
    try:
        _serve(options)
    except OcrError as error:
        _complain(str(error))
        return 1
    except ModuleNotFoundError as error:
        if options.url is None:
            raise
        _complain(f"--url: {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _serve(options: argparse.Namespace) -> None:
    if options.http and not options.names and not _is_local(options.host):
        raise InvalidRequest(
            f"--host {options.host}: other machines reach this address; say with --allowed-host by which name, such as "
            f"ocr.example.com:{options.port}"
        )
    from ppocr_serving.integrations.allowed_files import AllowedFiles
    from ppocr_serving.settings import load_settings

    max_bytes = load_settings().server.max_body_mb * 2**20
    files = AllowedFiles(options.roots, max_bytes)

    from ppocr_serving.integrations import mcp_server  # heavy
    from ppocr_serving.integrations.ocr_source import source_of

    server = mcp_server.build_server(source_of(options.url), files)
    if options.http:
        mcp_server.serve_http(server, options.host, options.port, options.names, max_bytes)
    else:
        mcp_server.serve_stdio(server)


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 65_535:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be 1-65535, got {text[:40]!r}")


def _complain(message: str) -> None:
    os.write(2, f"mcp: {message}\n".encode())
