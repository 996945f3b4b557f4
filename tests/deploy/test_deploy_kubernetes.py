"""Kubernetes and Knative: the manifests against schemas and against each other."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from ppocr_serving.settings import Settings, load_settings
from tests.deploy.manifests import DEPLOY, check_environment, container_of, read_yaml

FOLDER = DEPLOY / "kubernetes"
KNATIVE_SCHEMA = json.loads(Path(__file__).with_name("knative.schema.json").read_text(encoding="utf-8"))

KUBERNETES = ("deployment.yaml", "service.yaml", "hpa.yaml")
WORKLOADS = ("deployment.yaml", "knative-service.yaml")
VERSIONS = ("1.30", kubernetes_validate.latest_version())


def settings_of(manifest: dict[str, Any]) -> Settings:
    return load_settings(environ={variable["name"]: variable["value"] for variable in container_of(manifest)["env"]})


def megabytes(quantity: str) -> int:
    number, unit = int(quantity[:-2]), quantity[-2:]
    return number * {"Mi": 1, "Gi": 1024}[unit]


def test_every_manifest_is_tested() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} == {*KUBERNETES, *WORKLOADS}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", KUBERNETES)
def test_kubernetes_accepts_the_manifest(name: str, version: str) -> None:
    kubernetes_validate.validate(read_yaml(FOLDER / name), version, strict=True)


def test_a_misspelt_field_is_found() -> None:
    wrong = read_yaml(FOLDER / "deployment.yaml")
    container_of(wrong)["readynessProbe"] = container_of(wrong).pop("readinessProbe")

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_knative_accepts_the_service() -> None:
    service = read_yaml(FOLDER / "knative-service.yaml")

    jsonschema.validate(service, KNATIVE_SCHEMA)
    # Without Knative's own fields, it is a pod.
    pod = copy.deepcopy(service["spec"]["template"]["spec"])
    del pod["containerConcurrency"], pod["timeoutSeconds"]
    for probe in ("readinessProbe", "livenessProbe"):
        pod["containers"][0][probe]["httpGet"]["port"] = pod["containers"][0]["ports"][0]["name"]
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": service["metadata"], "spec": pod}
    kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ports", [{"name": "http", "containerPort": 9000}]),
        ("ports", [{"containerPort": 9000}, {"containerPort": 9001}]),
        ("env", [{"name": "PORT", "value": "9000"}]),
        ("lifecycle", {"preStop": {"exec": {"command": ["sleep", "5"]}}}),
        ("readinessProbe", {"httpGet": {"path": "/readyz", "port": 9001}}),
    ],
)
def test_the_schema_refuses_what_knative_refuses(field: str, value: object) -> None:
    wrong = read_yaml(FOLDER / "knative-service.yaml")
    container_of(wrong)[field] = value

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, KNATIVE_SCHEMA)


@pytest.mark.parametrize("name", WORKLOADS)
def test_containers_run_without_privileges(name: str) -> None:
    manifest = read_yaml(FOLDER / name)

    assert container_of(manifest)["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert "securityContext" not in manifest["spec"]["template"]["spec"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_only_tmp_is_writable(name: str) -> None:
    manifest = read_yaml(FOLDER / name)
    (mount,) = container_of(manifest)["volumeMounts"]
    (volume,) = manifest["spec"]["template"]["spec"]["volumes"]

    assert mount == {"name": volume["name"], "mountPath": "/tmp"}
    assert set(volume) == {"name", "emptyDir"}


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_service_accepts_the_environment(name: str) -> None:
    variables = container_of(read_yaml(FOLDER / name))["env"]

    check_environment({variable["name"]: variable["value"] for variable in variables})


@pytest.mark.parametrize("name", WORKLOADS)
def test_cpu_is_reserved_in_full_and_memory_may_grow(name: str) -> None:
    resources = container_of(read_yaml(FOLDER / name))["resources"]

    # A lower request would put threads onto other pods' CPUs; the HPA measures against the request.
    assert resources["requests"]["cpu"] == resources["limits"]["cpu"]
    assert megabytes(resources["requests"]["memory"]) <= megabytes(resources["limits"]["memory"])


def test_deployment_service_and_hpa_match() -> None:
    deployment, service, hpa = (read_yaml(FOLDER / name) for name in KUBERNETES)
    pod_labels = deployment["spec"]["template"]["metadata"]["labels"]
    (port,) = container_of(deployment)["ports"]
    (service_port,) = service["spec"]["ports"]

    assert deployment["spec"]["selector"]["matchLabels"] == pod_labels
    assert service["spec"]["selector"] == pod_labels
    assert service_port["targetPort"] == port["name"]
    assert hpa["spec"]["scaleTargetRef"] == {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "name": deployment["metadata"]["name"],
    }
    assert "replicas" not in deployment["spec"]


def test_probes_use_the_port_by_name() -> None:
    container = container_of(read_yaml(FOLDER / "deployment.yaml"))
    (port,) = container["ports"]

    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]


def test_a_pod_has_time_to_finish_its_requests() -> None:
    deployment = read_yaml(FOLDER / "deployment.yaml")
    command = container_of(deployment)["lifecycle"]["preStop"]["exec"]["command"]
    needed = int(command[1]) + settings_of(deployment).server.graceful_timeout

    assert needed < deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]


def test_an_instance_accepts_the_concurrency_of_knative() -> None:
    service = read_yaml(FOLDER / "knative-service.yaml")
    revision, settings = service["spec"]["template"]["spec"], settings_of(service)

    assert (
        settings.server.max_concurrency
        <= revision["containerConcurrency"]
        <= settings.server.max_concurrency + settings.server.max_queue
    )
    assert revision["timeoutSeconds"] > settings.server.queue_timeout
