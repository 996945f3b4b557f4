"""Clients of the HTTP API, with the names and results of `ppocr_serving.Reader`.

    from ppocr_serving.client import OcrClient

    with OcrClient("http://127.0.0.1:9000") as client:
        print(client.read("receipt.jpg").text)

They need neither models nor what reads pictures, but the packages of the extra `client`.
"""

from ppocr_serving.client.errors import ConnectionFailed, ServerFault, UnexpectedAnswer

try:
    from ppocr_serving.client.asynchronous import AsyncOcrClient
    from ppocr_serving.client.blocking import OcrClient
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"ppocr_serving.client needs the package {error.name}; run pip install 'ppocr-serving[client]'",
        name=error.name,
    ) from error

__all__ = ["AsyncOcrClient", "ConnectionFailed", "OcrClient", "ServerFault", "UnexpectedAnswer"]
