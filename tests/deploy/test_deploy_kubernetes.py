"""Kubernetes and Knative: the manifests against schemas and against each other."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from ppocr_serving.settings import Settings, load_settings
from tests.deploy.manifests import (
    DEPLOY,
    OVERLAYS,
    build_kustomization,
    check_environment,
    container_of,
    read_overlay,
    read_yaml,
)

FOLDER = DEPLOY / "kubernetes"
KNATIVE_SCHEMA, KEDA_SCHEMA = (
    json.loads(Path(__file__).with_name(f"{name}.schema.json").read_text(encoding="utf-8"))
    for name in ("knative", "keda")
)

WORKLOADS = (*OVERLAYS, "knative")
VERSIONS = ("1.30", kubernetes_validate.latest_version())


def workload(name: str) -> dict[str, Any]:
    """The Deployment of an overlay, or the Knative Service."""
    return read_yaml(FOLDER / "knative-service.yaml") if name == "knative" else read_overlay(name)["Deployment"]


def validate(manifest: dict[str, Any], version: str) -> None:
    if manifest["kind"] == "ScaledObject":
        jsonschema.validate(manifest, KEDA_SCHEMA)
        # What is not KEDA's own is a part of a HorizontalPodAutoscaler.
        manifest = {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": manifest["metadata"],
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", **manifest["spec"]["scaleTargetRef"]},
                "minReplicas": manifest["spec"]["minReplicaCount"],
                "maxReplicas": manifest["spec"]["maxReplicaCount"],
                "behavior": manifest["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"],
            },
        }
    kubernetes_validate.validate(manifest, version, strict=True)


def settings_of(manifest: dict[str, Any]) -> Settings:
    return load_settings(environ={variable["name"]: variable["value"] for variable in container_of(manifest)["env"]})


def megabytes(quantity: str) -> int:
    number, unit = int(quantity[:-2]), quantity[-2:]
    return number * {"Mi": 1, "Gi": 1024}[unit]


def test_overlays_differ_in_image_and_autoscaler() -> None:
    common = {"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"}
    kinds = {name: set(read_overlay(name)) - common for name in OVERLAYS}

    assert all(common <= set(read_overlay(name)) for name in OVERLAYS)
    assert kinds == {
        "hub": {"HorizontalPodAutoscaler"},
        "lean": {"HorizontalPodAutoscaler"},
        "queue": {"ScaledObject"},
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", OVERLAYS)
def test_kubernetes_accepts_the_overlay(name: str, version: str) -> None:
    for manifest in read_overlay(name).values():
        validate(manifest, version)


@pytest.fixture(params=OVERLAYS)
def with_ingress(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """An overlay whose line with the ingress is no comment any more."""
    copied = tmp_path / "kubernetes"
    shutil.copytree(FOLDER, copied)
    file = copied / "overlays" / request.param / "kustomization.yaml"
    text = file.read_text(encoding="utf-8")
    assert text.count("  # - ") == 1
    file.write_text(text.replace("  # - ", "  - "), encoding="utf-8")
    return {manifest["kind"]: manifest for manifest in build_kustomization(file.parent)}


def test_the_ingress_lets_in_what_the_service_accepts(with_ingress: dict[str, dict[str, Any]]) -> None:
    ingress, service = with_ingress["Ingress"], with_ingress["Service"]
    server = settings_of(with_ingress["Deployment"]).server
    annotations = {name.rpartition("/")[2]: value for name, value in ingress["metadata"]["annotations"].items()}
    (rule,), (tls,) = ingress["spec"]["rules"], ingress["spec"]["tls"]
    (path,) = rule["http"]["paths"]
    (port,) = service["spec"]["ports"]

    for version in VERSIONS:
        validate(ingress, version)
    assert annotations["proxy-body-size"] == f"{server.max_body_mb}m"
    assert int(annotations["proxy-read-timeout"]) > server.document_timeout
    assert tls["hosts"] == [rule["host"]]
    assert path["backend"]["service"] == {"name": service["metadata"]["name"], "port": {"name": port["name"]}}


def test_a_misspelt_field_is_found() -> None:
    wrong = read_overlay("lean")["Deployment"]
    container_of(wrong)["readynessProbe"] = container_of(wrong).pop("readinessProbe")

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("minReplicaCount", 0),  # KEDA accepts it, but a queue that nobody has never grows
        ("minReplicas", 2),
        ("triggers", [{"type": "prometheus", "metadata": {"serverAddress": "http://prometheus", "threshold": "2"}}]),
        (
            "triggers",
            [{"type": "prometheus", "metadata": {"serverAddress": "prometheus", "query": "q", "threshold": 2}}],
        ),
        ("fallback", {"failureThreshold": 3}),
    ],
)
def test_the_schema_refuses_what_keda_refuses(field: str, value: object) -> None:
    wrong = read_overlay("queue")["ScaledObject"]
    wrong["spec"][field] = value

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, KEDA_SCHEMA)


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
    manifest = workload(name)

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
    manifest = workload(name)
    (mount,) = container_of(manifest)["volumeMounts"]
    (volume,) = manifest["spec"]["template"]["spec"]["volumes"]

    assert mount == {"name": volume["name"], "mountPath": "/tmp"}
    assert set(volume) == {"name", "emptyDir"}


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_service_accepts_the_environment(name: str) -> None:
    variables = container_of(workload(name))["env"]

    check_environment({variable["name"]: variable["value"] for variable in variables})


@pytest.mark.parametrize("name", WORKLOADS)
def test_cpu_is_reserved_in_full_and_memory_may_grow(name: str) -> None:
    resources = container_of(workload(name))["resources"]

    # A lower request would put threads onto other pods' CPUs; the HPA measures against the request.
    assert resources["requests"]["cpu"] == resources["limits"]["cpu"]
    assert megabytes(resources["requests"]["memory"]) <= megabytes(resources["limits"]["memory"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_parts_of_an_overlay_match(name: str) -> None:
    parts = read_overlay(name)
    deployment, service = parts["Deployment"], parts["Service"]
    pod = deployment["spec"]["template"]
    labels = pod["metadata"]["labels"]
    (spread,) = pod["spec"]["topologySpreadConstraints"]
    (port,) = container_of(deployment)["ports"]
    (service_port,) = service["spec"]["ports"]
    ((allowed,),) = [rule["ports"] for rule in parts["NetworkPolicy"]["spec"]["ingress"]]

    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["selector"] == labels
    assert parts["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert parts["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    assert spread["labelSelector"]["matchLabels"] == labels
    assert service_port["targetPort"] == allowed["port"] == port["name"]
    assert parts["NetworkPolicy"]["spec"]["egress"] == []
    assert "replicas" not in deployment["spec"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_autoscaler_is_for_the_deployment_and_leaves_pods_to_evict(name: str) -> None:
    parts = read_overlay(name)
    scaler = (parts.get("HorizontalPodAutoscaler") or parts["ScaledObject"])["spec"]
    (kind,) = {"HorizontalPodAutoscaler", "ScaledObject"} & set(parts)
    least = scaler["minReplicas" if kind == "HorizontalPodAutoscaler" else "minReplicaCount"]

    assert {"kind": "Deployment", **scaler["scaleTargetRef"]}["kind"] == "Deployment"
    assert scaler["scaleTargetRef"]["name"] == parts["Deployment"]["metadata"]["name"]
    assert parts["PodDisruptionBudget"]["spec"]["maxUnavailable"] < least


def test_probes_use_the_port_by_name() -> None:
    container = container_of(workload("lean"))
    (port,) = container["ports"]

    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]


def test_a_pod_has_time_to_finish_its_requests() -> None:
    deployment = workload("lean")
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
