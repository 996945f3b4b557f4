"""A server whose options leak: `python mixing_server.py PORT`.

It answers `/predict/ocr_system` with the options of the request, kept where all requests can see them: the next request
changes them while the answer to the previous one is still being made.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_options: dict[str, Any] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200, {"status": "ready"})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/predict/ocr_system":
            self._answer(404, {"msg": "there is nothing", "results": "", "status": "101"})
            return
        _options.clear()
        _options.update(request.get("options", {}))
        time.sleep(0.002)
        self._answer(200, {"msg": "", "results": [[dict(_options)]], "status": "000"})

    def _answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer((os.environ["PPOCR_HOST"], int(sys.argv[1])), _Handler).serve_forever()
