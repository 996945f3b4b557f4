"""Consistency of all deployments: images, ports, paths, and no secrets."""

import asyncio
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

import ppocr_serving
from ppocr_serving.errors import NotReady
from ppocr_serving.settings import ServerSettings, variable_names
from ppocr_serving.web.app import Application
from ppocr_serving.web.log import LogStream
from ppocr_serving.workers.members import PoolLimits
from ppocr_serving.workers.pool import WorkerPool
from ppocr_serving.workers.process import Crew, WorkerProcess
from tests.asgi import ask
from tests.deploy.manifests import DEPLOY, ROOT, container_of, read_terraform, read_yaml
from tests.flat_settings import field_names

FILES = [
    ROOT / "docker-compose.yaml",
    ROOT / "docs" / "scaling.md",
    *(path for path in DEPLOY.rglob("*") if path.is_file()),
]
READMES = sorted(DEPLOY.rglob("README.md"))

# Credentials as the clouds and HTTP write them.
SECRETS = re.compile(
    r"LTAI[A-Za-z0-9]{12,}|AKID[A-Za-z0-9]{13,}|AKIA[A-Z0-9]{12,}|-----BEGIN|"
    r"(?i:(?:secret|password|passwd|token|access_?key)\w*[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9+/_-]{8,})"
)


def fc_props() -> dict[str, Any]:
    (resource,) = read_yaml(DEPLOY / "aliyun_fc" / "s.yaml")["resources"].values()
    found: dict[str, Any] = resource["props"]
    return found


def workloads() -> list[dict[str, Any]]:
    return [read_yaml(DEPLOY / "kubernetes" / name) for name in ("deployment.yaml", "knative-service.yaml")]


def image_name(reference: str) -> tuple[str, str]:
    """Return the last part of an image's name, and its tag."""
    name, _, tag = reference.rpartition("/")[2].partition(":")
    return name, tag


def test_read_only_platforms_use_the_image_made_for_them() -> None:
    version = ppocr_serving.__version__

    assert image_name(fc_props()["customContainerConfig"]["image"]) == ("ppocr-serving", version)
    for workload in workloads():
        assert image_name(container_of(workload)["image"]) == ("ppocr-serving-tx", version)


def test_all_use_the_default_port_of_start_sh() -> None:
    default = re.search(r"FC_CUSTOM_LISTEN_PORT:-(\d+)", (ROOT / "start.sh").read_text(encoding="utf-8"))
    assert default is not None
    port = int(default[1])

    assert fc_props()["customContainerConfig"]["port"] == port
    for workload in workloads():
        assert [published["containerPort"] for published in container_of(workload)["ports"]] == [port]
    functions = [block["tencentcloud_scf_function"] for block in read_terraform(DEPLOY / "tencent_scf")["resource"][:1]]
    assert [body["image_config"][0]["image_port"] for body in functions[0].values()] == [port]


def called_paths() -> list[tuple[str, str]]:
    """Return method and path of every request that a platform makes."""
    container, hooks = fc_props()["customContainerConfig"], fc_props()["instanceLifecycleConfig"]
    calls = [
        ("GET", container["healthCheckConfig"]["httpGetUrl"]),
        ("POST", hooks["initializer"]["handler"]),
        ("GET", hooks["preStop"]["handler"]),
        ("POST", "/invoke"),
        ("POST", "/event-invoke"),
    ]
    for workload in workloads():
        probes = [value for key, value in container_of(workload).items() if key.endswith("Probe")]
        calls += [("GET", probe["httpGet"]["path"]) for probe in probes]
    calls += [("GET", path) for path in re.findall(r":9000(/\w+)'", (ROOT / "docker-compose.yaml").read_text())]
    return sorted(set(calls))


def no_process() -> WorkerProcess:
    raise NotReady("this server has no processes")


@pytest.mark.parametrize(("method", "path"), called_paths())
def test_the_service_has_every_path_that_platforms_call(method: str, path: str) -> None:
    async def status() -> int:
        file = os.open(os.devnull, os.O_WRONLY)
        pool = WorkerPool(Crew(no_process, ()), PoolLimits(0, 1, 1, 1, 0.01, 0), lambda: None, lambda: None)
        answer = await ask(Application(pool, (), ServerSettings(), LogStream(file)), method, path)
        os.close(file)
        assert answer is not None
        return answer.status

    # There are no processes: some paths answer that the models are still being loaded, events by an invocation's 404.
    expected = {"/readyz": 503, "/initialize": 503, "/invoke": 404, "/event-invoke": 404}.get(path, 200)
    assert asyncio.run(status()) == expected


def test_variables_named_in_the_files_exist() -> None:
    known = {variable for field in field_names() for variable in variable_names(field)} | {"PPOCR_WORKERS"}

    for path in FILES:
        named = set(re.findall(r"\bPPOCR_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))
        assert named <= known, path


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_holds_a_secret(path: Path) -> None:
    assert SECRETS.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "access_key_secret: 0123456789abcdef",
        'secret_key = "AbCdEfGh12345678"',
        "LTAI" + "5tABCDEFGHIJKL",
        "-----BEGIN PRIVATE KEY-----",
        'password: "hunter2hunter2"',
    ],
)
def test_the_pattern_finds_secrets(text: str) -> None:
    assert SECRETS.search(text)


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.parent.name)
def test_readmes_name_files_that_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]

    assert links
    assert [target for target in links if not (path.parent / target).exists()] == []
    assert "scripts/build_image.sh" in text
    assert "/predict/ocr_system" in text


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.parent.name)
def test_readme_commands_are_valid_shell(path: Path) -> None:
    blocks = re.findall(r"^```shell\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

    assert blocks
    for block in blocks:
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


@pytest.mark.parametrize(
    "manifest", ["aliyun_fc/s.yaml", "kubernetes/deployment.yaml", "kubernetes/knative-service.yaml"]
)
def test_the_readmes_command_sets_the_image(manifest: str) -> None:
    path = DEPLOY / manifest
    (expression,) = set(re.findall(r'sed (?:-i )?"([^"]+)"', (path.parent / "README.md").read_text(encoding="utf-8")))
    command = f'IMAGE=registry.example.org/mine:2; sed "{expression}" "$1"'

    done = subprocess.run(["bash", "-c", command, "sed", path], capture_output=True, text=True, check=True)

    before, after = path.read_text(encoding="utf-8").splitlines(), done.stdout.splitlines()
    (changed,) = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed.strip() == "image: registry.example.org/mine:2"


def test_every_deployment_has_a_readme() -> None:
    folders = {path for path in DEPLOY.iterdir() if path.is_dir()}

    assert {path.parent for path in READMES} == folders
