"""An application that speaks like other services, in process, with real models in a worker."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
import requests

from ppocr_serving.engines import Runtime
from ppocr_serving.settings import ServerSettings, Settings
from ppocr_serving.web.app import Application
from tests.asgi import Answer, ask
from tests.conftest import settings_for
from tests.web.reading_pool import Client, reading

SERVER = ServerSettings(url_input=True, url_allowed_networks=("127.0.0.0/8",))


class Served(NamedTuple):
    """An application and its client."""

    client: Client
    application: Application

    def with_settings(self, settings: ServerSettings) -> "Served":
        """Return an application with other settings of the server's process; those of the worker stay."""
        return self._replace(application=self.client.application(settings))

    def get(self, path: str) -> Answer:
        return self.client.ask(self.application, "GET", path)

    def post(self, path: str, body: bytes, content_type: str, **headers: str) -> Answer:
        return self.client.post(self.application, path, body, content_type=content_type, **headers)

    def post_json(self, path: str, body: Any) -> Answer:
        return self.post(path, json.dumps(body).encode(), "application/json")

    def at_once(
        self, slow: Sequence[tuple[str, Any]], quick: tuple[str, Any], when_quick: Callable[[], None]
    ) -> list[Answer]:
        """Post some JSON bodies, another one after them, and call a function once that is answered."""

        async def post(path: str, body: Any) -> Answer:
            headers = {"content-type": "application/json"}
            answer = await ask(self.application, "POST", path, [json.dumps(body).encode()], headers)
            assert answer is not None
            return answer

        async def post_all() -> list[Answer]:
            waiting = [asyncio.ensure_future(post(*request)) for request in slow]
            await asyncio.sleep(0.5)  # they are being fetched
            answer = await post(*quick)
            when_quick()
            return [answer, *await asyncio.gather(*waiting)]

        return self.client.run(post_all())

    def post_form(
        self, path: str, fields: Mapping[str, Any], files: Mapping[str, tuple[str, bytes]] | None = None
    ) -> Answer:
        """Post a form as the library Requests writes it: multipart with a file, else urlencoded."""
        prepared = requests.Request("POST", "http://server", data=fields, files=files).prepare()
        assert isinstance(prepared.body, bytes | str)
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        return self.post(path, body, prepared.headers["Content-Type"])


@pytest.fixture(scope="package")
def reader_settings() -> Settings:
    return settings_for(Runtime.OPENVINO)


@pytest.fixture(scope="package")
def served(reader_settings: Settings) -> Iterator[Served]:
    """All adapters; URLs are fetched from the loopback interface."""
    modules = dict.fromkeys(("ocr_system", "ocr_rec"), reader_settings)
    with reading(modules, SERVER) as client:
        yield Served(client, client.application(SERVER))
