"""Consistency of all deployments: images, ports, paths, and no secrets."""

import asyncio
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import ppocr_serving
from ppocr_serving.errors import NotReady
from ppocr_serving.settings import ServerSettings, variable_names
from ppocr_serving.web.app import Application
from ppocr_serving.web.log import LogStream
from ppocr_serving.workers.members import PoolLimits
from ppocr_serving.workers.pool import WorkerPool
from ppocr_serving.workers.process import Crew, WorkerProcess
from tests.asgi import ask
from tests.deploy.manifests import DEPLOY, OVERLAYS, ROOT, container_of, read_overlay, read_terraform, read_yaml
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
    r"(?i:(?:secret(?!name)|password|passwd|token|access_?key)\w*[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9+/_-]{8,})"
)


def fc_props() -> dict[str, Any]:
    (resource,) = read_yaml(DEPLOY / "aliyun_fc" / "s.yaml")["resources"].values()
    found: dict[str, Any] = resource["props"]
    return found


def workloads() -> list[dict[str, Any]]:
    deployments = [read_overlay(name)["Deployment"] for name in OVERLAYS]
    return [*deployments, read_yaml(DEPLOY / "kubernetes" / "knative-service.yaml")]


def image_name(reference: str) -> tuple[str, str]:
    """Return the last part of an image's name, and its tag."""
    name, _, tag = reference.rpartition("/")[2].partition(":")
    return name, tag


def test_read_only_platforms_use_the_image_made_for_them() -> None:
    version = ppocr_serving.__version__

    assert image_name(fc_props()["customContainerConfig"]["image"]) == ("ppocr-serving", version)
    for overlay in OVERLAYS:
        image = "ppocr-serving-tx" if overlay == "hub" else "ppocr-serving-lean"
        assert image_name(container_of(read_overlay(overlay)["Deployment"])["image"]) == (image, version)
    knative = read_yaml(DEPLOY / "kubernetes" / "knative-service.yaml")
    assert image_name(container_of(knative)["image"]) == ("ppocr-serving-lean", version)


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


@pytest.mark.parametrize("guide", ["aliyun_fc", "kubernetes"])
def test_the_readmes_command_sets_the_image(guide: str) -> None:
    folder = DEPLOY / guide
    readme = (folder / "README.md").read_text(encoding="utf-8")
    (expression,) = set(re.findall(r'sed (?:-i[.]bak )?"([^"]+)"', readme))
    if guide == "kubernetes":
        texts = [yaml.safe_dump_all(read_overlay(name).values()) for name in OVERLAYS]
        texts.append((folder / "knative-service.yaml").read_text(encoding="utf-8"))
    else:
        texts = [(folder / "s.yaml").read_text(encoding="utf-8")]

    for text in texts:
        command = f'IMAGE=registry.example.org/mine:2; sed "{expression}"'
        done = subprocess.run(["bash", "-c", command], input=text, capture_output=True, text=True, check=True)

        before, after = text.splitlines(), done.stdout.splitlines()
        (changed,) = [new for old, new in zip(before, after, strict=True) if old != new]
        assert changed.strip().removeprefix("- ") == "image: registry.example.org/mine:2"


def test_every_deployment_has_a_readme() -> None:
    folders = {path for path in DEPLOY.iterdir() if path.is_dir()}

    assert {path.parent for path in READMES} == folders


def test_guides_have_the_figures_of_the_page_about_images() -> None:
    page = (ROOT / "docs" / "images.md").read_text(encoding="utf-8")
    rows = {row.split(" | ")[0].removeprefix("| "): re.findall(r"[0-9.]+(?= MB)", row) for row in page.splitlines()}
    (hub, lean), (packed_hub, packed_lean) = rows["size"], rows["size, compressed"]
    # The first row of a name: the others are its variants.
    runs = {
        name: row.strip(" |").split(" | ")
        for name, row in re.findall(r"^\| (plain|tx|lean)\b[^|]*\|(.*)$", page, re.M)[::-1]
    }
    (start_hub, start_lean) = re.findall(r"([0-9.]+) s for `ppocr-serving", page)

    def gigabytes(name: str) -> str:
        return ", ".join(f"{int(megabytes) / 1000:.1f} GB" for megabytes in runs[name][1:3])

    # Seconds per 1,000 pictures, times what the guide's function is given.
    lean_seconds, hub_seconds, tx_seconds = (int(runs[name][3]) for name in ("lean", "plain", "tx"))
    fc = f"| {2 * lean_seconds} vCPU-s, {2 * lean_seconds} GB-s | {2 * hub_seconds} vCPU-s, {2 * hub_seconds} GB-s |"
    assert fc in (DEPLOY / "aliyun_fc" / "README.md").read_text(encoding="utf-8")
    scf = f"| {3 * lean_seconds} GB-s | {3 * tx_seconds} GB-s |"
    assert scf in (DEPLOY / "tencent_scf" / "README.md").read_text(encoding="utf-8")

    for guide, other in (("aliyun_fc", "plain"), ("tencent_scf", "tx")):
        text = (DEPLOY / guide / "README.md").read_text(encoding="utf-8")
        assert f"| {lean} MB, {packed_lean} MB | {hub} MB, {packed_hub} MB |" in text
        assert f"| {gigabytes('lean')} | {gigabytes(other)} |" in text
        assert f"| {runs['lean'][3]} ms | {runs[other][3]} ms |" in text
    text = (DEPLOY / "kubernetes" / "README.md").read_text(encoding="utf-8")
    assert f"| {packed_lean} MB | {packed_hub} MB |" in text
    assert f"| {gigabytes('lean')} | {gigabytes('tx')} |" in text
    for guide in ("aliyun_fc", "tencent_scf", "kubernetes"):
        text = (DEPLOY / guide / "README.md").read_text(encoding="utf-8")
        assert f"| {float(start_lean):.1f} s | {float(start_hub):.1f} s |" in text
