"""The native API in process, with the real models of the default profile."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlencode

from ppocr_serving.engines import Runtime
from ppocr_serving.settings import ServerSettings
from ppocr_serving.web.app import Application
from tests.asgi import Answer
from tests.conftest import settings_for
from tests.flat_settings import with_values
from tests.web.reading_pool import Client, reading

__all__ = ["Form", "Native", "form_of", "native"]

BOUNDARY = "a-boundary-that-no-file-has"


class Form(NamedTuple):
    """A form as clients send it."""

    body: bytes
    content_type: str = f"multipart/form-data; boundary={BOUNDARY}"


def form_of(parts: Sequence[tuple[str, str | None, bytes]]) -> Form:
    """Return a form of parts: each a field's name, a file's name or None, and bytes."""
    body = b""
    for name, filename, data in parts:
        file = "" if filename is None else f'; filename="{filename}"'
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        body += head.encode() + data + b"\r\n"
    return Form(body + f"--{BOUNDARY}--\r\n".encode())


class Native(NamedTuple):
    """An application and its client."""

    client: Client
    application: Application

    def get(self, path: str, **headers: str) -> Answer:
        return self.client.ask(self.application, "GET", path, b"", **headers)

    def post(self, path: str, body: bytes, content_type: str = "", accept: str = "", **options: str) -> Answer:
        headers = {"content_type": content_type, "accept": accept}
        query = f"?{urlencode(options)}" if options else ""
        return self.client.post(
            self.application, path + query, body, **{name: value for name, value in headers.items() if value}
        )

    def read(self, body: bytes, content_type: str = "image/png", accept: str = "", **options: str) -> Answer:
        """Read a file sent as the body."""
        return self.post("/v1/read", body, content_type, accept, **options)

    def read_form(self, parts: Sequence[tuple[str, str | None, bytes]], **options: str) -> Answer:
        """Read what is in a form."""
        form = form_of(parts)
        return self.read(form.body, form.content_type, **options)

    def read_json(self, files: Sequence[bytes], options: Mapping[str, Any] | None = None) -> Answer:
        """Read files sent as JSON."""
        body = {"files": [{"data": base64.b64encode(file).decode()} for file in files], "options": options or {}}
        return self.read(json.dumps(body).encode(), "application/json")


@contextmanager
def native(settings: ServerSettings | None = None, **values: Any) -> Iterator[Native]:
    """Serve the native API with settings of the server, and others by name."""
    limits = settings or ServerSettings(max_images=4)
    modules = {"ocr_system": with_values(settings_for(Runtime.OPENVINO), **values)}
    with reading(modules, limits) as client:
        yield Native(client, client.application(limits))
