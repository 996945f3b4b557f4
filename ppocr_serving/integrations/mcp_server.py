"""OCR as tools of the Model Context Protocol (MCP), for language models and the programs that run them."""

import functools
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import CallToolResult, ContentBlock, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

from ppocr_serving import __version__
from ppocr_serving.errors import InvalidRequest, OcrError
from ppocr_serving.integrations.allowed_files import AllowedFiles
from ppocr_serving.integrations.ocr_source import OcrSource
from ppocr_serving.outputs import Item, write
from ppocr_serving.reading.files import naming_item
from ppocr_serving.reading.inputs import decode_base64_file
from ppocr_serving.reading.options import ReadOptions
from ppocr_serving.results import Page
from ppocr_serving.values import shortened

__all__ = ["build_server", "serve_http", "serve_stdio"]

_PATH: Final = "/mcp"
_LOCAL_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_READ_ONLY: Final = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
_MESSAGE_BYTES: Final = 65_536  # of a call besides its file
_FORMATS: Final = ("text", "markdown", "json", "hocr", "alto", "csv")

_PathArgument = Annotated[str | None, Field(description="Path of a picture, TIFF, GIF or PDF file; or give `data`.")]
_DataArgument = Annotated[
    str | None, Field(description="The file itself, in base64 or as a data: URL; in place of `path`.")
]
_PagesArgument = Annotated[str | None, Field(description="Pages of a file with several, such as 1-3,7,10-.")]
_PasswordArgument = Annotated[str | None, Field(description="Opens an encrypted PDF.")]
# Not as a type, for which the SDK would answer with an error of several lines.
_FormatArgument = Annotated[
    str, Field(description="Of the text that is returned.", json_schema_extra={"enum": list(_FORMATS)})
]


class ReadTextResult(BaseModel):
    """What `read_text` returns besides the text."""

    text: str = Field(description="The lines in reading order, one per row.")
    pages: int = Field(description="How many pages were read.")
    unread: list[str] = Field(description="Why pages could not be read; empty if all were.")


class ReadLine(BaseModel):
    """A line of text."""

    text: str
    confidence: float = Field(description="0 to 1")
    box: list[tuple[int, int]] = Field(description="Four corners x, y in pixels, clockwise from the text's top left.")


class ReadPage(BaseModel):
    """A page of a document."""

    number: int
    width: int = Field(description="In pixels.")
    height: int = Field(description="In pixels.")
    angle: int = Field(description="Degrees clockwise by which to turn the page to see it upright.")
    lines: list[ReadLine]
    error: str | None = Field(description="Why it could not be read.")


class ReadDocumentResult(BaseModel):
    """What `read_document` returns besides the document in its format."""

    pages: list[ReadPage]


class DescribeResult(BaseModel):
    """What `describe_server` returns."""

    version: str
    profiles: list[str] = Field(description="The models.")
    languages: list[str] = Field(description="What they read, as BCP 47 tags.")
    formats: list[str] = Field(description="What read_document writes.")
    limits: dict[str, int | float] = Field(
        description="Size of a file in MiB, pages of a file, pixels of a page, and others."
    )
    folders: list[str] = Field(description="Where files may be named by their path; empty if nowhere.")


_Answer = Callable[..., CallToolResult]


def build_server(source: OcrSource, files: AllowedFiles) -> MCPServer[Any]:
    """Return a server with the tools `read_text`, `read_document` and `describe_server`.

    Args:
        source: What reads files.
        files: The files that may be named.
    """
    server: MCPServer[Any] = MCPServer(
        "ppocr-serving",
        title="OCR",
        version=__version__,
        instructions="Reads the text in pictures and PDF files. Files are named by a path in one of the folders that "
        "describe_server lists, or sent as base64.",
        log_level="WARNING",
    )

    @server.tool(annotations=_READ_ONLY)
    @_telling_errors
    def read_text(
        path: _PathArgument = None,
        data: _DataArgument = None,
        pages: _PagesArgument = None,
        password: _PasswordArgument = None,
    ) -> Annotated[CallToolResult, ReadTextResult]:
        """Read the text of a picture or PDF, in reading order."""
        item = source.read(_file(files, path, data), ReadOptions(pages=pages, password=password))
        text = write([item], "text").decode()
        unread = _unread(item)
        result = ReadTextResult(text=text, pages=len(item.document.pages) - len(unread), unread=unread)
        return _result([text, *unread], result)

    @server.tool(annotations=_READ_ONLY)
    @_telling_errors
    def read_document(
        path: _PathArgument = None,
        data: _DataArgument = None,
        pages: _PagesArgument = None,
        password: _PasswordArgument = None,
        format: _FormatArgument = "markdown",  # noqa: A002
    ) -> Annotated[CallToolResult, ReadDocumentResult]:
        """Read a picture or PDF: its text in a format, and its pages with the place and confidence of each line."""
        if format not in _FORMATS:
            raise InvalidRequest(f"format {shortened(format)}: give one of {', '.join(_FORMATS)}")
        item = source.read(_file(files, path, data), ReadOptions(pages=pages, password=password))
        result = ReadDocumentResult(pages=[_page(page) for page in item.document.pages])
        return _result([write([item], format).decode(), *_unread(item)], result)

    @server.tool(annotations=_READ_ONLY)
    @_telling_errors
    def describe_server() -> Annotated[CallToolResult, DescribeResult]:
        """Say which languages, formats, sizes and folders of files the other tools can read."""
        known = source.describe()
        result = DescribeResult(
            version=known["version"],
            profiles=[profile["name"] for profile in known["profiles"]],
            languages=list(known["languages"]),
            formats=list(_FORMATS),
            limits=known["limits"],
            folders=list(map(str, files.folders)),
        )
        return _result([result.model_dump_json()], result)

    return server


def serve_stdio(server: MCPServer[Any]) -> None:
    """Serve the process that has started this one, until it closes standard input."""
    server.run("stdio")


def serve_http(server: MCPServer[Any], host: str, port: int, names: Sequence[str], max_bytes: int) -> None:
    """Serve over HTTP, at the path `/mcp`, until a signal.

    Args:
        server: The server.
        host: Address to listen on.
        port: Port to listen on.
        names: Further names, with their port if they have one, by which clients call this machine: a web page that
            pretends to be on it comes with another one. Without any, `host` is one that only this machine reaches.
        max_bytes: Largest file that is sent.
    """
    own = () if names else (f"[{host}]" if ":" in host else host,)
    local = [f"{name}:{port}" for name in (*_LOCAL_NAMES, *own)]
    server.run(
        "streamable-http",
        host=host,
        port=port,
        streamable_http_path=_PATH,
        stateless_http=True,  # each call has all that it needs
        max_request_body_size=max_bytes * 4 // 3 + _MESSAGE_BYTES,
        transport_security=TransportSecuritySettings(
            allowed_hosts=[*local, *names],
            allowed_origins=[f"http://{name}" for name in local],
        ),
    )


def _telling_errors(tool: _Answer) -> _Answer:
    """Return a tool that says what went wrong in one line, which a model can act on."""

    @functools.wraps(tool)
    def answer(**arguments: Any) -> CallToolResult:
        try:
            return tool(**arguments)
        except OcrError as error:
            message = " ".join(str(error).split())
        except MemoryError:
            message = "this machine has too little memory for it; read fewer pages, or a smaller file"
        return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)

    return answer


def _file(files: AllowedFiles, path: str | None, data: str | None) -> bytes:
    if path is not None and data is None:
        return files.read(path)
    if path is not None or data is None:
        raise InvalidRequest("give either path or data")
    files.require_size(len(data) * 3 // 4, "data")
    with naming_item("data"):
        return decode_base64_file(data)


def _unread(item: Item) -> list[str]:
    """Return why pages could not be read.

    Raises:
        OcrError: None could.
    """
    failed = [page for page in item.document.pages if page.error is not None]
    if failed and len(failed) == len(item.document.pages) and failed[0].error is not None:
        raise failed[0].error
    return [str(page.error) for page in failed]  # names the page


def _page(page: Page) -> ReadPage:
    return ReadPage(
        number=page.number,
        width=page.width,
        height=page.height,
        angle=page.angle,
        lines=[ReadLine(text=line.text, confidence=line.confidence, box=list(line.box)) for line in page.lines],
        error=None if page.error is None else str(page.error),
    )


def _result(texts: Sequence[str], structured: BaseModel) -> CallToolResult:
    content: list[ContentBlock] = [TextContent(type="text", text=text) for text in texts]
    return CallToolResult(content=content, structured_content=structured.model_dump(mode="json"))
