"""The deployment files, parsed as their tools parse them."""

import copy
import subprocess
import sysconfig
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import yaml

from ppocr_serving.settings import load_settings
from tests.flat_settings import field_names

__all__ = [
    "DEPLOY",
    "OVERLAYS",
    "ROOT",
    "TOOLS",
    "build_kustomization",
    "check_environment",
    "container_of",
    "read_all_yaml",
    "read_overlay",
    "read_terraform",
    "read_yaml",
]

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TOOLS = Path(sysconfig.get_path("scripts"))
"""Programs that come with the packages of the tests."""
OVERLAYS = tuple(sorted(path.name for path in (DEPLOY / "kubernetes" / "overlays").iterdir()))

_ENVIRONMENT_BYTES = 4096  # the limit of FC and SCF


def read_all_yaml(path: Path) -> list[dict[str, Any]]:
    """The documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def read_yaml(path: Path) -> dict[str, Any]:
    """The only document of a YAML file."""
    (document,) = read_all_yaml(path)
    return document


def build_kustomization(folder: Path) -> list[dict[str, Any]]:
    """Return what `kubectl apply -k` would send to a cluster."""
    command = [str(TOOLS / "kubectl"), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


@cache
def _overlay(name: str) -> tuple[dict[str, Any], ...]:
    return tuple(build_kustomization(DEPLOY / "kubernetes" / "overlays" / name))


def read_overlay(name: str) -> dict[str, dict[str, Any]]:
    """The manifests of an overlay by kind; there is one of each."""
    manifests = {manifest["kind"]: manifest for manifest in copy.deepcopy(_overlay(name))}
    assert len(manifests) == len(_overlay(name))
    return manifests


def read_terraform(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The blocks of a folder's `.tf` files by kind; expressions stay text between `${` and `}`."""
    options = hcl2.SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)
    blocks: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.tf")):
        for kind, found in hcl2.loads(path.read_text(encoding="utf-8"), serialization_options=options).items():
            blocks.setdefault(kind, []).extend(found)
    return blocks


def container_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The only container of a Deployment or a Knative Service."""
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def check_environment(variables: Mapping[str, str]) -> None:
    """Check that the service accepts these variables, and the platforms their size."""
    assert variables
    assert all(isinstance(value, str) for value in variables.values())
    assert sum(len(f"{name}={value}") + 1 for name, value in variables.items()) <= _ENVIRONMENT_BYTES
    assert not [name for name in variables if name.startswith("FC_")]
    for name, value in variables.items():
        field = name.removeprefix("PPOCR_").lower()
        assert name == f"PPOCR_{field.upper()}"
        assert field in field_names(), f"{name}: there is no such setting"
        load_settings(environ={name: value})
