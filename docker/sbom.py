#!/usr/bin/env python3
"""Print the list of what is in an image (SPDX 2.3, JSON): Python packages, models and the base image, with licences.

Image builds run this as the last step, with the image's name, `hub` or `lean`, and the lock that its packages were
installed from. Packages that are not in the lock, or have another version, are an error, and so are unknown licences.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import uuid
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import ppocr_serving
from ppocr_serving.models import default_model_dir, load_profile

_NAMES = {"hub": "ppocr-serving", "lean": "ppocr-serving-lean"}
_BASE = "python:3.11-slim-bookworm"

# Licences of packages whose metadata has no SPDX expression; NOTICE says the same.
_LICENCES = {
    "blinker": "MIT",
    "certifi": "MPL-2.0",
    "charset-normalizer": "MIT",
    "colorama": "BSD-3-Clause",
    "colorlog": "MIT",
    "h11": "MIT",
    "httpx": "BSD-3-Clause",
    "itsdangerous": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "multipart": "MIT",
    "opencv-python-headless": "Apache-2.0 AND MIT",
    "opt-einsum": "MIT",
    "paddlehub": "Apache-2.0",
    "paddlepaddle": "Apache-2.0",
    "protobuf": "BSD-3-Clause",
    "pyclipper": "MIT AND BSL-1.0",
    "pypdfium2": "(Apache-2.0 OR BSD-3-Clause) AND BSD-3-Clause AND Apache-2.0",
    "pyyaml": "MIT",
    "rarfile": "ISC",
    "requests": "Apache-2.0",
    "safetensors": "Apache-2.0",
    "six": "MIT",
    "tqdm": "MPL-2.0 AND MIT",
}

# What Python's `venv` installs, and docker/prune.py leaves in some images.
_WITH_PYTHON = {"setuptools": "MIT"}


def describe(image: str, lock: str, packages: Path, models: Path, created: str) -> dict[str, Any]:
    """Return the SPDX document of an image.

    Args:
        image: `hub` or `lean`.
        lock: Content of the lock file.
        packages: The image's site-packages directory.
        models: The image's folder of models, with a folder per profile.
        created: Time of the build, ISO 8601 in UTC.

    Raises:
        LookupError: A package is not the lock's, or has no known licence.
    """
    locked = dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", lock, re.MULTILINE))
    root = _package(_NAMES[image], ppocr_serving.__version__, "Apache-2.0")
    contents = [
        _package("python", platform.python_version(), "PSF-2.0"),
        *(_python_package(found, locked) for found in _installed(packages)),
        *_models(models),
    ]
    if image == "hub":
        contents.append(_package("libgomp1", _debian_version("libgomp1"), "GPL-3.0-or-later WITH GCC-exception-3.1"))
    base = _package(_BASE, "", "NOASSERTION")
    base["comment"] = "The base image. Its Debian packages are in /var/lib/dpkg, their licences in /usr/share/doc."
    contents.append(base)
    identity = json.dumps([root, contents], sort_keys=True)
    contains = [
        {"spdxElementId": root["SPDXID"], "relationshipType": "CONTAINS", "relatedSpdxElement": item["SPDXID"]}
        for item in contents
    ]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{_NAMES[image]}-{ppocr_serving.__version__}",
        "documentNamespace": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, identity)}",
        "creationInfo": {"created": created, "creators": [f"Tool: ppocr-serving-{ppocr_serving.__version__}"]},
        "documentDescribes": [root["SPDXID"]],
        "packages": [root, *contents],
        "relationships": contains,
    }


def _installed(packages: Path) -> list[Distribution]:
    found = {_normal(item.metadata["Name"]): item for item in distributions(path=[str(packages)])}
    found.pop("ppocr-serving", None)  # the image itself
    return [found[name] for name in sorted(found)]


def _python_package(found: Distribution, locked: dict[str, str]) -> dict[str, Any]:
    name = _normal(found.metadata["Name"])
    if name not in _WITH_PYTHON and locked.get(name) != found.version:
        raise LookupError(
            f"{name} {found.version} is installed, but the lock has {locked.get(name, 'no such package')}"
        )
    stated = "License-Expression" in found.metadata
    licence = found.metadata["License-Expression"] if stated else _LICENCES.get(name) or _WITH_PYTHON.get(name)
    if licence is None:
        raise LookupError(f"{name} {found.version} states no SPDX licence; add it to {Path(__file__).name}")
    package = _package(name, found.version, licence)
    package["externalRefs"] = [
        {
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": f"pkg:pypi/{name}@{found.version}",
        }
    ]
    return package


def _models(folder: Path) -> list[dict[str, Any]]:
    found = []
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        profile = load_profile(place.name)
        for role in (role for role in profile.roles if (place / role).is_dir()):
            package = _package(f"model-{place.name}-{role}", "", profile.model(role).licence)
            published = [
                f"{file.member} of {profile.sources[file.source].label}, SHA-256 {file.sha256 or 'not published'}"
                for file in profile.alternatives(role)[0]
            ]
            package["comment"] = f"Converted for this image from: {'; '.join(published)}"
            found.append(package)
    return found


def _package(name: str, version: str, licence: str) -> dict[str, Any]:
    package = {
        "SPDXID": f"SPDXRef-{re.sub('[^A-Za-z0-9.-]', '-', name)}",
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
    }
    return {key: value for key, value in package.items() if value != ""}


def _debian_version(name: str) -> str:
    if shutil.which("dpkg-query") is None:
        return ""
    command = ["dpkg-query", "--show", "--showformat", "${Version}", name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    """Run the command line."""
    if len(sys.argv) != 3 or sys.argv[1] not in _NAMES:
        sys.exit(f"sbom: {sys.argv[1:]} must be an image ({', '.join(_NAMES)}) and a lock file")
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    lock = Path(sys.argv[2]).read_text(encoding="utf-8")
    document = describe(sys.argv[1], lock, Path(sysconfig.get_path("purelib")), default_model_dir(), created)
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
