"""Aliyun Function Compute: s.yaml against fc3's schema and the platform's limits, and the published template."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import ppocr_serving
from ppocr_serving.settings import load_settings
from tests.deploy.manifests import DEPLOY, check_environment, read_yaml

FOLDER = DEPLOY / "aliyun_fc"
FC3_SCHEMA = json.loads(Path(__file__).with_name("fc3.schema.json").read_text(encoding="utf-8"))
PUBLISH_SCHEMA = json.loads(Path(__file__).with_name("publish.schema.json").read_text(encoding="utf-8"))
DOMAIN_SCHEMA = json.loads(Path(__file__).with_name("fc3_domain.schema.json").read_text(encoding="utf-8"))

TEMPLATE = (FOLDER / "src" / "s.yaml").read_text(encoding="utf-8")
PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def props(application: dict[str, Any]) -> dict[str, Any]:
    (resource,) = application["resources"].values()
    found: dict[str, Any] = resource["props"]
    return found


@pytest.fixture
def application() -> dict[str, Any]:
    return read_yaml(FOLDER / "s.yaml")


@pytest.fixture
def publish() -> dict[str, Any]:
    return read_yaml(FOLDER / "publish.yaml")


def test_s_yaml_is_valid_for_fc3(application: dict[str, Any]) -> None:
    jsonschema.validate(application, FC3_SCHEMA)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("caPort",), 9000),  # a field of fc3's predecessor
        (("customContainerConfig", "port"), "9000"),
        (("customContainerConfig", "command"), '["sh", "start.sh"]'),  # fc2 took JSON in a string
        (("customContainerConfig", "healthCheckConfig", "timeoutSeconds"), 5),
        (("memorySize",), 2000),
        (("instanceConcurrency",), 0),
        (("environmentVariables", "PPOCR_MAX_BODY_MB"), 32),
        (("runtime",), "custom"),
        (
            ("triggers",),
            [{"triggerName": "http", "triggerType": "http", "triggerConfig": {"authType": "jwt", "methods": ["GET"]}}],
        ),
    ],
)
def test_the_schema_refuses_what_fc3_refuses(
    application: dict[str, Any], where: tuple[str, ...], value: object
) -> None:
    wrong = copy.deepcopy(application)
    *path, last = where
    target = props(wrong)
    for key in path:
        target = target[key]
    target[last] = value

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, FC3_SCHEMA)


def test_memory_fits_the_cpus(application: dict[str, Any]) -> None:
    gigabytes_per_cpu = props(application)["memorySize"] / 1024 / props(application)["cpu"]

    assert 1 <= gigabytes_per_cpu <= 4


def test_the_timeout_exceeds_the_wait_in_the_queue(application: dict[str, Any]) -> None:
    settings = load_settings(environ=props(application)["environmentVariables"])

    assert props(application)["timeout"] > settings.server.queue_timeout


def test_an_instance_accepts_the_concurrency_of_fc(application: dict[str, Any]) -> None:
    settings = load_settings(environ=props(application)["environmentVariables"])
    concurrency = props(application)["instanceConcurrency"]

    assert settings.server.max_concurrency <= concurrency <= settings.server.max_concurrency + settings.server.max_queue


def test_the_body_limit_is_within_that_of_fc(application: dict[str, Any]) -> None:
    assert load_settings(environ=props(application)["environmentVariables"]).server.max_body_mb <= 32


def test_the_service_accepts_the_environment(application: dict[str, Any]) -> None:
    check_environment(props(application)["environmentVariables"])


def test_lifecycle_hooks_have_enough_time(application: dict[str, Any]) -> None:
    hooks = props(application)["instanceLifecycleConfig"]

    assert hooks["initializer"]["timeout"] > 30
    assert hooks["preStop"]["timeout"] > load_settings(environ={}).server.graceful_timeout


def test_publish_yaml_is_valid(publish: dict[str, Any]) -> None:
    jsonschema.validate(publish, PUBLISH_SCHEMA)
    assert publish["Version"] == ppocr_serving.__version__


def test_every_parameter_is_used_and_every_placeholder_is_a_parameter(publish: dict[str, Any]) -> None:
    parameters = publish["Parameters"]["properties"]

    assert {"region", "functionName", "memorySize"} <= set(parameters)
    assert set(PLACEHOLDER.findall(TEMPLATE)) == {*parameters, "access"}  # Serverless Devs prompts for access


def test_defaults_are_allowed_values(publish: dict[str, Any]) -> None:
    schema = publish["Parameters"]
    defaults = {name: parameter["default"] for name, parameter in schema["properties"].items()}

    jsonschema.validate(defaults, schema)


def test_the_template_with_its_defaults_is_s_yaml(application: dict[str, Any], publish: dict[str, Any]) -> None:
    values = {name: parameter["default"] for name, parameter in publish["Parameters"]["properties"].items()}
    rendered = PLACEHOLDER.sub(lambda match: str({**values, "access": "default"}[match[1]]), TEMPLATE)

    assert yaml.safe_load(rendered) == application


def test_every_memory_size_on_offer_fits_the_cpus(application: dict[str, Any], publish: dict[str, Any]) -> None:
    for megabytes in publish["Parameters"]["properties"]["memorySize"]["enum"]:
        props(application)["memorySize"] = megabytes
        jsonschema.validate(application, FC3_SCHEMA)
        test_memory_fits_the_cpus(application)


@pytest.mark.parametrize("own_name", [False, True])
def test_the_domain_is_valid_and_leads_to_the_function(application: dict[str, Any], own_name: bool) -> None:
    text = (FOLDER / "domain.yaml").read_text(encoding="utf-8")
    if own_name:
        text = text.replace("      protocol: HTTP\n", "").replace("      # protocol", "      protocol")
        text = re.sub(r"^      # (certConfig|  \w+): ?", r"      \1: ", text, flags=re.M)
    domain = props(yaml.safe_load(text))

    jsonschema.validate(domain, DOMAIN_SCHEMA)
    assert (domain["protocol"] == "HTTP,HTTPS") == ("certConfig" in domain) == own_name
    assert domain["region"] == props(application)["region"]
    assert [route["functionName"] for route in domain["routeConfig"]["routes"]] == [props(application)["functionName"]]


def test_the_application_has_what_the_registry_and_its_users_expect() -> None:
    assert {path.name for path in FOLDER.iterdir()} >= {"README.md", "publish.yaml", "version.md", "src"}
    assert {path.name for path in (FOLDER / "src").iterdir()} == {"readme.md", "s.yaml"}
    assert (FOLDER / "version.md").read_text(encoding="utf-8").startswith(f"{ppocr_serving.__version__}: ")
    guide = (FOLDER / "src" / "readme.md").read_text(encoding="utf-8")
    assert "../" not in guide, "it is copied alone"
    assert "{{" not in guide, "placeholders are filled in"
