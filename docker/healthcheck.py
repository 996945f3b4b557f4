#!/usr/bin/env python3
"""Exit with 0 if the service in this container answers, else with 1. Use the address that start.sh listens on."""

import os
import ssl
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
    scheme = "https" if os.environ.get("PPOCR_TLS_CERT") else "http"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/healthz"
    # No certificate is for an address inside the container, and proxies from the environment cannot reach it.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(url, timeout=_SECONDS):
            return 0
    except (OSError, HTTPException) as error:
        print(f"healthcheck: {url}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
