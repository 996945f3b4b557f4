"""Tencent SCF: the Terraform files parse, are self-contained, use the provider's arguments and keep the limits."""

import re
from typing import Any

import pytest

from ppocr_serving.settings import load_settings
from tests.deploy.manifests import DEPLOY, check_environment, read_terraform

FOLDER = DEPLOY / "tencent_scf"
BLOCKS = read_terraform(FOLDER)
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.tf")))

# The arguments of the provider's resources that we use; True: required.
FUNCTION = {
    "name": True,
    "namespace": False,
    "description": False,
    "func_type": False,
    "mem_size": False,
    "timeout": False,
    "enable_public_net": False,
    "environment": False,
    "image_config": False,
    "instance_concurrency_config": False,
}
IMAGE = {
    "image_type": True,
    "image_uri": True,
    "registry_id": False,
    "image_port": False,
    "container_image_accelerate": False,
}
CONCURRENCY = {"dynamic_enabled": False, "max_concurrency": False}
TRIGGER = {"function_name": True, "namespace": True, "type": True, "enable": False, "trigger_desc": False}


def merged(kind: str) -> dict[str, Any]:
    return {name: body for block in BLOCKS[kind] for name, body in block.items()}


VARIABLES = merged("variable")
RESOURCES = merged("resource")
ENVIRONMENT = merged("locals")["environment"]
DEFAULTS = {name: variable["default"] for name, variable in VARIABLES.items() if "default" in variable}


@pytest.fixture
def function() -> dict[str, Any]:
    (found,) = RESOURCES["tencentcloud_scf_function"].values()
    return dict(found)


def test_variables_are_declared_once_and_used() -> None:
    declared = [name for block in BLOCKS["variable"] for name in block]
    blocks_without_declarations = re.sub(r'^variable "\w+" \{.*?^\}', "", TEXT, flags=re.MULTILINE | re.DOTALL)

    assert len(declared) == len(set(declared))
    assert set(re.findall(r"\bvar\.(\w+)", TEXT)) == set(declared)
    assert set(re.findall(r"\bvar\.(\w+)", blocks_without_declarations)) == set(declared)


def test_variables_have_types_and_descriptions() -> None:
    assert [name for name, variable in VARIABLES.items() if not {"type", "description"} <= set(variable)] == []


def test_references_resolve() -> None:
    references = re.findall(r"\b(tencentcloud_scf_\w+)\.(\w+)\.", TEXT)

    assert references
    assert [(kind, name) for kind, name in references if name not in RESOURCES.get(kind, {})] == []


def test_the_provider_is_pinned() -> None:
    (settings,) = BLOCKS["terraform"]
    (providers,) = settings["required_providers"]

    assert providers["tencentcloud"]["source"] == "tencentcloudstack/tencentcloud"
    assert re.fullmatch(r">= \d+\.\d+\.\d+, < \d+\.\d+\.\d+", providers["tencentcloud"]["version"])


def check_arguments(body: dict[str, Any], known: dict[str, bool]) -> None:
    assert set(body) <= set(known)
    assert {name for name, required in known.items() if required} <= set(body)


def test_resources_use_arguments_of_the_provider(function: dict[str, Any]) -> None:
    (trigger,) = RESOURCES["tencentcloud_scf_trigger"].values()
    (image,) = function["image_config"]
    (concurrency,) = function["instance_concurrency_config"]

    check_arguments(function, FUNCTION)
    check_arguments(image, IMAGE)
    check_arguments(concurrency, CONCURRENCY)
    check_arguments(trigger, TRIGGER)
    assert function["func_type"] == "HTTP"
    assert trigger["type"] == "http"
    assert image["image_port"] == 9000  # the only port that SCF uses


def test_memory_and_timeout_are_within_the_limits_of_scf() -> None:
    assert DEFAULTS["mem_size"] <= 3072
    assert DEFAULTS["mem_size"] % 128 == 0
    assert load_settings(environ=ENVIRONMENT).server.queue_timeout < DEFAULTS["timeout"] <= 900


@pytest.mark.parametrize(("name", "bound"), [("mem_size", "<= 3072"), ("timeout", "<= 900"), ("concurrency", "<= 66")])
def test_terraform_validates_other_values(name: str, bound: str) -> None:
    (validation,) = VARIABLES[name]["validation"]

    assert f"var.{name} {bound}" in validation["condition"]


def test_the_body_limit_fits_an_scf_request() -> None:
    assert load_settings(environ=ENVIRONMENT).server.max_body_mb * 2**20 <= 6_000_000


def test_an_instance_accepts_the_concurrency_of_scf() -> None:
    settings = load_settings(environ=ENVIRONMENT)

    assert (
        settings.server.max_concurrency
        <= DEFAULTS["concurrency"]
        <= 66
        == settings.server.max_concurrency + settings.server.max_queue
    )


def test_the_service_accepts_the_environment() -> None:
    check_environment(ENVIRONMENT)


def test_terraforms_working_files_are_not_committed() -> None:
    ignored = (FOLDER / ".gitignore").read_text(encoding="utf-8").split()

    assert {".terraform/", "*.tfstate", "*.tfvars"} <= set(ignored)
