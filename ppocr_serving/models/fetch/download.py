"""Download one file: over HTTP with retries and limits, or a package through pip or npm."""

import http.client
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import urlsplit

from ppocr_serving.errors import DownloadError
from ppocr_serving.models.fetch.limits import DownloadLimits
from ppocr_serving.models.fetch.progress import Progress
from ppocr_serving.models.sources import PackageSource, WheelSource

__all__ = ["UnreachableError", "download_package", "download_url", "download_wheel", "is_url"]

_CHUNK = 1 << 18
_RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_Answer = TypeVar("_Answer")
_SCHEMES = ("http", "https")


class UnreachableError(DownloadError):
    """A server does not answer, or not to the end."""


class _TransientError(Exception):
    """A failure that a retry may resolve."""


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects to http and https only, and never from https down to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        # urllib itself refuses file: and the like, but not ftp:.
        scheme = urlsplit(newurl).scheme
        if scheme not in _SCHEMES or (req.type == "https" and scheme == "http"):
            fp.close()
            raise DownloadError(f"{req.full_url}: refused, it redirects to {newurl!r}; give another source with --from")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def is_url(source: str) -> bool:
    """Return whether a source is an http or https address rather than a path."""
    return urlsplit(source).scheme in _SCHEMES


def download_url(url: str, target: Path, limits: DownloadLimits, progress: Progress) -> None:
    """Download one URL to a new file, completely or with an error.

    Args:
        url: `http` or `https`; proxies come from the usual environment variables.
        target: Overwritten from its start on every attempt.
        limits: Attempts, waiting and size.
        progress: Receives bytes and retries.

    Raises:
        UnreachableError: The server cannot be reached, stalls or disconnects, in all attempts.
        DownloadError: It refuses, or sends too much.
        OSError: The file cannot be written.
    """
    # Only what is needed: the default opener would also accept ftp:, file: and data: URLs.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _SafeRedirects(),
    ):
        opener.add_handler(handler)
    progress.line(f"downloading {url}")
    wait = limits.backoff_s
    for attempt in range(1, limits.attempts + 1):
        try:
            _download_once(opener, url, target, limits, progress)
            return
        except _TransientError as error:
            if attempt == limits.attempts:
                raise UnreachableError(
                    f"{url}: {error} ({_attempts(attempt)}); check the network, or give another source with --from"
                ) from error
            progress.line(f"{url}: {error}; trying again in {wait:g} s")
        finally:
            progress.end_bar()
        time.sleep(wait)
        wait *= 2


def _download_once(
    opener: urllib.request.OpenerDirector, url: str, target: Path, limits: DownloadLimits, progress: Progress
) -> None:
    headers = {"User-Agent": "ppocr-serving", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the opener has handlers for http and https only
    response = _network(url, lambda: opener.open(request, timeout=limits.stall_s))
    with response, target.open("wb") as sink:
        declared = response.headers.get("Content-Length", "")
        total = int(declared) if declared.isdecimal() else None
        done = 0
        progress.bar(done, total)
        while chunk := _network(url, lambda: response.read1(_CHUNK)):
            done += len(chunk)
            if done > limits.max_bytes or (total or 0) > limits.max_bytes:
                raise DownloadError(f"{url}: refused, it is larger than {limits.max_bytes} bytes")
            sink.write(chunk)
            progress.bar(done, total)
    # http.client does not report a body that ends early if it is read in pieces.
    if total is not None and done != total:
        raise _TransientError(f"connection lost after {done} of {total} bytes")


def _network(url: str, call: Callable[[], _Answer]) -> _Answer:
    """Sort network failures into those worth a retry and those that are final; `call` must not touch the disk."""
    try:
        return call()
    except urllib.error.HTTPError as error:
        error.close()
        reason = _one_line(f"HTTP {error.code} {error.reason}")
        if error.code in _RETRIED_STATUS:
            raise _TransientError(reason) from error
        raise DownloadError(f"{url}: {reason}; check the address, or give another source with --from") from error
    except urllib.error.URLError as error:
        raise _TransientError(_one_line(error.reason)) from error
    except ValueError as error:
        raise DownloadError(f"{url}: {_one_line(error)}; check the address") from error
    except TimeoutError as error:
        raise _TransientError("no answer for too long") from error
    except (OSError, http.client.HTTPException) as error:
        raise _TransientError(_one_line(error)) from error


def download_wheel(source: WheelSource, directory: Path, progress: Progress) -> Path:
    """Download a pinned wheel with pip, so that the user's own index, mirror, proxy and certificates apply.

    Args:
        source: Package, version and required hash.
        directory: An empty directory for pip's own files and the wheel.
        progress: If it is a terminal, pip draws its own bar there.

    Returns:
        Path of the wheel.

    Raises:
        DownloadError: pip fails or finds another hash.
        OSError: The requirements file cannot be written.
    """
    requirements = directory / "requirements.txt"
    requirements.write_text(f"{source.label} --hash=sha256:{source.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download"]
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--requirement", str(requirements), "--dest", str(directory)]
    progress.line(f"downloading {source.label} with pip")
    run = subprocess.run(
        command,
        # pip downloads to the temporary directory first; next to the destination, space is needed anyway.
        env={**os.environ, "TMPDIR": str(directory)},
        stdin=subprocess.DEVNULL,
        stdout=progress.terminal or subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    wheels = sorted(directory.glob("*.whl"))
    if run.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    # pip does its own retries, and its last ERROR line says why it gave up; a hash mismatch takes several lines.
    lines = [line.strip() for line in run.stderr.splitlines() if line.strip()]
    if "DO NOT MATCH THE HASHES" in run.stderr:
        reason = f"SHA-256 of the wheel is not {source.sha256}"
    else:
        reason = next((line for line in reversed(lines) if line.startswith("ERROR:")), (lines or ["no message"])[-1])
    raise DownloadError(
        f"{source.label}: pip download failed ({_one_line(reason.removeprefix('ERROR:'))}); "
        "check the network and pip's index, or give the wheel with --from"
    )


def download_package(source: PackageSource, directory: Path, progress: Progress) -> Path:
    """Download a package with npm, so that the user's own registry, proxy and certificates apply.

    Args:
        source: Package and version.
        directory: An empty directory for npm's own files and the package.
        progress: Receives a line.

    Returns:
        Path of the package's archive, whose hash has not been checked.

    Raises:
        DownloadError: npm is not installed, or fails.
    """
    command = ["npm", "pack", source.label, "--pack-destination", str(directory), "--cache", str(directory / "cache")]
    command += ["--ignore-scripts"]  # nothing of the package runs before its hash is checked, nor afterwards
    progress.line(f"downloading {source.label} with npm")
    try:
        run = subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise DownloadError(
            f"{source.label}: npm is not installed; install it, or give the package with --from"
        ) from error
    archives = sorted(directory.glob("*.tgz"))
    if run.returncode == 0 and len(archives) == 1:
        return archives[0]
    lines = [line.strip() for line in run.stderr.splitlines() if line.strip()]
    reason = next((line for line in lines if not line.startswith("npm error code")), "no message")
    raise DownloadError(
        f"{source.label}: npm pack failed ({_one_line(reason.removeprefix('npm error '))}); "
        "check the network and npm's registry, or give the package with --from"
    )


def _attempts(count: int) -> str:
    return "1 attempt" if count == 1 else f"{count} attempts"


def _one_line(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__
