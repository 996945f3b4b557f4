"""Pushing the images: with a stand-in for docker that records its arguments, and with podman and a real registry."""

import os
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ppocr_serving import __version__

ROOT = Path(__file__).parents[2]
IMAGES = ("ppocr-serving", "ppocr-serving-tx", "ppocr-serving-lean")

DOCKER = """\
#!/bin/sh
case "$1 $2" in
    "info ") exit "${DOCKER_INFO:-0}" ;;
    "image inspect") [ "$3" != "${DOCKER_MISSING:-}" ]; exit ;;
esac
echo "$*" >>"$DOCKER_LOG"
case "$*" in
    push*"${DOCKER_REFUSED:-nothing}"*) echo "denied: requested access to the resource is denied" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def docker(tmp_path: Path) -> dict[str, str]:
    """The environment in which `docker` is the stand-in."""
    path = tmp_path / "bin" / "docker"
    path.parent.mkdir()
    path.write_text(DOCKER, encoding="utf-8")
    path.chmod(0o755)
    log = tmp_path / "docker.log"
    log.touch()
    return {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}", "DOCKER_LOG": str(log)}


def release(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(ROOT / "scripts" / "release.sh"), *arguments],
        env=env,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def expected(*targets: str) -> list[str]:
    tags = [(image, f"{target}/{image}:{__version__}") for target in targets for image in IMAGES]
    return [line for image, tag in tags for line in (f"tag {image} {tag}", f"push {tag}")]


def docker_calls(env: dict[str, str]) -> list[str]:
    return Path(env["DOCKER_LOG"]).read_text(encoding="utf-8").splitlines()


def test_every_image_is_tagged_and_pushed_to_every_registry(docker: dict[str, str]) -> None:
    targets = ("registry.cn-hongkong.aliyuncs.com/name", "ccr.ccs.tencentyun.com/name", "docker.io/name")

    result = release(docker, __version__, *targets)

    assert result.returncode == 0, result.stderr
    assert docker_calls(docker) == expected(*targets)
    assert result.stdout.splitlines()[-1] == f"release: pushed 3 images of {__version__} to {' '.join(targets)}"


def test_a_dry_run_prints_the_commands_and_runs_none(docker: dict[str, str]) -> None:
    result = release(docker, "--dry-run", __version__, "localhost:5000/name")

    assert result.returncode == 0, result.stderr
    assert docker_calls(docker) == []
    *commands, last = result.stdout.splitlines()
    assert commands == [f"docker {line}" for line in expected("localhost:5000/name")]
    assert last == "release: dry run, nothing was tagged or pushed"


def test_a_failed_push_is_named_and_does_not_stop_the_others(docker: dict[str, str]) -> None:
    targets = ("one.example/name", "two.example/name")
    docker["DOCKER_REFUSED"] = "one.example/name/ppocr-serving-tx"

    result = release(docker, __version__, *targets)

    assert result.returncode == 1
    assert docker_calls(docker) == expected(*targets)
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"release: not pushed: one.example/name/ppocr-serving-tx:{__version__}; ")
    assert "docker login" in last


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ["VERSION", "--help"]),
        ((__version__,), ["REGISTRY/NAMESPACE", "--help"]),
        (("--force", __version__, "docker.io/name"), ["'--force'", "--help"]),
        ((f"v{__version__}", "docker.io/name"), [f"'v{__version__}'", "1.2.3"]),
        (("latest", "docker.io/name"), ["'latest'", "1.2.3"]),
        (("0.0.1", "docker.io/name"), ["0.0.1", __version__]),
        ((__version__, "docker.io"), ["'docker.io'", "docker.io/NAME"]),
        ((__version__, "name/other"), ["'name/other'", "docker.io/NAME"]),
        ((__version__, "docker.io/Name"), ["'docker.io/Name'", "lower case"]),
        ((__version__, "docker.io/name/"), ["'docker.io/name/'"]),
        ((__version__, "docker.io/name", "https://docker.io/name"), ["'https://docker.io/name'"]),
    ],
)
def test_a_wrong_command_line_is_a_one_line_error_and_docker_is_not_called(
    arguments: tuple[str, ...], words: list[str], docker: dict[str, str]
) -> None:
    result = release(docker, *arguments)

    assert result.returncode == 2
    assert result.stderr.startswith("release: ")
    assert len(result.stderr.splitlines()) == 1
    assert [word for word in words if word not in result.stderr] == []
    assert docker_calls(docker) == []


@pytest.mark.parametrize(
    ("image", "command"),
    list(zip(IMAGES, ("build_image.sh'", "build_image.sh --tx'", "build_image.sh --lean'"), strict=True)),
)
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_missing_image_is_named_with_the_command_that_builds_it(
    image: str, command: str, options: tuple[str, ...], docker: dict[str, str]
) -> None:
    docker["DOCKER_MISSING"] = image

    result = release(docker, *options, __version__, "docker.io/name")

    assert result.returncode == 1
    assert result.stderr.splitlines() == [f"release: docker has no image {image}; build it with 'scripts/{command}"]
    assert docker_calls(docker) == []


def test_a_missing_container_engine_is_a_one_line_error(docker: dict[str, str], tmp_path: Path) -> None:
    docker["DOCKER_INFO"] = "1"
    for tool in ("bash", "dirname", "sed"):
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    docker["PATH"] = str(tmp_path / "bin")

    result = release(docker, __version__, "docker.io/name")

    assert result.returncode == 1
    assert result.stderr == (
        "release: found neither a running docker nor podman; "
        "start docker, or install podman with 'apt-get install podman'\n"
    )


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """The address of an empty registry."""
    program = shutil.which("docker-registry")
    if program is None or shutil.which("podman") is None or os.geteuid() != 0:
        pytest.skip("needs root, podman and a registry; run: apt-get install podman docker-registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"localhost:{probe.getsockname()[1]}"
    settings = tmp_path / "registry.yml"
    settings.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}}}\nhttp: {{addr: '{address}'}}\n",
        encoding="utf-8",
    )
    with subprocess.Popen(
        [program, "serve", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    with urllib.request.urlopen(f"http://{address}/v2/"):
                        break
                except OSError:
                    assert process.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            yield address
        finally:
            process.terminate()


def test_podman_pushes_to_a_real_registry(docker: dict[str, str], registry: str, tmp_path: Path) -> None:
    docker["DOCKER_INFO"] = "1"
    # Separate storage, so that this machine's images stay as they are.
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n', encoding="utf-8"
    )
    (tmp_path / "registries.conf").write_text(
        f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n', encoding="utf-8"
    )
    docker["CONTAINERS_STORAGE_CONF"] = str(tmp_path / "storage.conf")
    docker["CONTAINERS_REGISTRIES_CONF"] = str(tmp_path / "registries.conf")
    with tarfile.open(tmp_path / "empty.tar", "w") as archive:
        archive.add(__file__, "file")
    for image in IMAGES:
        subprocess.run(["podman", "import", "-q", tmp_path / "empty.tar", image], env=docker, check=True)

    result = release(docker, __version__, f"{registry}/name", "localhost:1/name")

    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(
        f"release: not pushed: localhost:1/name/ppocr-serving:{__version__} "
    )
    for image in IMAGES:
        with urllib.request.urlopen(f"http://{registry}/v2/name/{image}/tags/list") as answer:
            assert __version__ in answer.read().decode()
