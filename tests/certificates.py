"""Certificates for tests, made by the openssl command as operators make them."""

import subprocess
from pathlib import Path
from typing import NamedTuple

__all__ = ["Pair", "make_certificate"]


class Pair(NamedTuple):
    """A certificate for 127.0.0.1 and its private key, as PEM files."""

    cert: Path
    key: Path


def make_certificate(folder: Path, name: str = "localhost", password: str = "") -> Pair:
    """Make a self-signed certificate.

    Args:
        folder: Where the files go.
        name: Common name, and the name of the files.
        password: Encrypts the key; empty leaves it as it is.
    """
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    protection = f"-passout pass:{password}" if password else "-nodes"
    subprocess.run(
        [
            *f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN={name} -days 2".split(),
            *f"-addext subjectAltName=IP:127.0.0.1 -keyout {pair.key} -out {pair.cert}".split(),
            *protection.split(),
        ],
        check=True,
        capture_output=True,
    )
    return pair
