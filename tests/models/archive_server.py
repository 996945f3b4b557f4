"""A profile of tiny files, archives that hold them, and an HTTP server that misbehaves on demand."""

import hashlib
import io
import json
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FILES: Mapping[str, bytes] = {
    "det/inference.pdmodel": b"det program",
    "det/inference.pdiparams": bytes(range(256)) * 2000,
    "cls/inference.pdmodel": b"cls program",
    "cls/inference.pdiparams": b"cls params",
    "rec/inference.pdmodel": b"rec program",
    "rec/inference.pdiparams": b"rec params",
    "rec/dictionary.txt": "其\n他\n".encode(),
}

Answer = Callable[[BaseHTTPRequestHandler], None]


def sha256(content: bytes) -> str:
    """Lower-case hex digest."""
    return hashlib.sha256(content).hexdigest()


def tar_bytes(members: Mapping[str, bytes] = FILES, mode: str = "w:", extra: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    """A tar with these members, preceded by `extra` ones that have no content."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:  # type: ignore[call-overload]
        for info in extra:
            tar.addfile(info)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def zip_bytes(members: Mapping[str, bytes] = FILES) -> bytes:
    """A zip with these members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in members.items():
            package.writestr(name, content)
    return stream.getvalue()


def write_wheel(directory: Path, version: str = "1.0") -> Path:
    """A wheel that pip accepts, with the profile's files as its data."""
    info = f"tiny_models-{version}.dist-info"
    members = dict(FILES)
    members[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: tiny-models\nVersion: {version}\n".encode()
    members[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    members[f"{info}/RECORD"] = b""
    path = directory / f"tiny_models-{version}-py3-none-any.whl"
    path.write_bytes(zip_bytes(members))
    return path


STATED: Mapping[str, str] = {
    "det": """\
mean = [0.485, 0.456, 0.406]
deviation = [0.229, 0.224, 0.225]
limit_side_len = 960
limit_type = "max"
thresh = 0.3
box_thresh = 0.5
unclip_ratio = 1.6
score_mode = "fast"
use_dilation = false""",
    "cls": """\
mean = [0.5, 0.5, 0.5]
deviation = [0.5, 0.5, 0.5]
image_shape = [3, 48, 192]
labels = ["0", "180"]
thresh = 0.9""",
    "rec": """\
mean = [0.5, 0.5, 0.5]
deviation = [0.5, 0.5, 0.5]
image_shape = [3, 48, 320]
languages = ["en"]""",
}


def write_profile(path: Path, *sources: Mapping[str, str], pinned: bool = True) -> Path:
    """A profile that takes every file from the first source that answers, with or without the files' SHA-256."""
    lines = ['name = "tiny"', 'summary = "Tiny"', "drop_score = 0.5"]
    for number, source in enumerate(sources):
        lines += [f"[sources.s{number}]", *(f"{key} = {json.dumps(value)}" for key, value in source.items())]
    for role, stated in STATED.items():
        lines += [f"[{role}]", 'licence = "Apache-2.0"', stated]
        for number in range(len(sources)):
            lines += [f"[[{role}.origins]]", f'source = "s{number}"']
            for name, content in FILES.items():
                if name.startswith(role):
                    lines += [f'[{role}.origins.files."{name.partition("/")[2]}"]', f'member = "{name}"']
                    lines += [f'sha256 = "{sha256(content)}"', f"size = {len(content)}"] if pinned else []
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def snapshot(directory: Path) -> dict[str, bytes | None]:
    """Everything under a directory: relative path to content, None for directories."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in sorted(directory.rglob("*"))
    }


class ArchiveServer:
    """Answer each request with the next answer for its path; the last one repeats."""

    def __init__(self, port: int, answers: dict[str, list[Answer]]) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.requests: list[str] = []
        self._answers = answers

    def on(self, path: str, *answers: Answer) -> str:
        """Set the answers for one path and return its address."""
        self._answers[path] = list(answers)
        return self.base + path


@contextmanager
def running_server() -> Iterator[ArchiveServer]:
    """Serve on the loopback interface and a free port until the block ends."""
    answers: dict[str, list[Answer]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append(self.path)
            queue = answers.get(self.path, [status(404)])
            (queue.pop(0) if len(queue) > 1 else queue[0])(self)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Log nothing: tests look at `requests`, and standard error belongs to the code under test."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = ArchiveServer(http.server_address[1], answers)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def body(content: bytes, sent: int | None = None, with_length: bool = True) -> Answer:
    """Answer 200 with content, of which only the first `sent` bytes are sent."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if with_length:
            handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:sent])

    return answer


def status(code: int) -> Answer:
    """Answer with a status and no content."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def redirect(location: str, code: int = 302) -> Answer:
    """Answer with a redirect."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def stall(content: bytes, seconds: float) -> Answer:
    """Send half of the content and then nothing for a while."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: len(content) // 2])
        handler.wfile.flush()
        time.sleep(seconds)

    return answer
