"""A server with the faults that a soak must find: `python leaking_server.py PORT LEAK KEEP FAULT`.

It leaks LEAK MB per request, and KEEP MB more per picture file of more than 4 MB. FAULT is `none`, or the module
whose answers are wrong: ocr_det gets status 500, ocr_rec one result too few. ocr_cls ends the server. With the FAULT
`options`, answers are the options of the request, kept where all requests can see them: the next request changes them
while the answer to the previous one is still being made.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PORT, _LEAK, _KEEP = (int(argument) for argument in sys.argv[1:4])
_FAULT = sys.argv[4]
_kept: list[bytes] = []
_options: dict[str, Any] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200, {"status": "ready"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.path.startswith("/predict/"):
            self._answer(404, {"msg": "there is nothing", "results": "", "status": "101"})
            return
        request = json.loads(body)
        pictures = len(request["images"])
        _kept.append(b"x" * (_LEAK * 10**6))
        if len(body) > 4 * 10**6 * 4 / 3:
            _kept.append(b"x" * (_KEEP * 10**6))
        module = self.path.rpartition("/")[2]
        if module == _FAULT == "ocr_cls":
            print("out of memory", flush=True)
            os._exit(7)
        if _FAULT == "options":
            _options.clear()
            _options.update(request.get("options", {}))
            time.sleep(0.002)
            self._answer(200, {"msg": "", "results": [[dict(_options)]], "status": "000"})
        elif module == _FAULT == "ocr_det":
            self._answer(500, {"msg": "out of\norder", "results": "", "status": "101"})
        else:
            results = pictures - (module == _FAULT == "ocr_rec")
            self._answer(200, {"msg": "", "results": [[{"text": "", "angle": "0"}] * results], "status": "000"})

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
    if os.environ["PORT"] != str(_PORT):
        sys.exit(f"PORT is {os.environ['PORT']}")
    ThreadingHTTPServer((os.environ["PPOCR_HOST"], _PORT), _Handler).serve_forever()
