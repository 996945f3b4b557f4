#!/usr/bin/env python3
"""Exit with 0 if the service in this container answers, else with 1. Use the address that start.sh listens on."""

import os
import sys
import urllib.request
from http.client import HTTPException

_ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # listened on, not connected to
_SECONDS = 4


def main() -> int:
    """Run the command line."""
    host = os.environ.get("PPOCR_HOST", "")
    host = _ANY_ADDRESS.get(host, host)
    port = os.environ.get("PORT") or os.environ.get("FC_CUSTOM_LISTEN_PORT") or "9000"
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/healthz"
    # Proxies from the environment cannot reach an address inside the container.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_SECONDS):
            return 0
    except (OSError, HTTPException) as error:
        print(f"healthcheck: {url}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
