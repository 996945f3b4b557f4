"""GitHub workflows and issue forms: their validity, references and permissions."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ppocr_serving import __version__

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
NAMES = [path.name for path in WORKFLOWS]

FORMS = GITHUB / "ISSUE_TEMPLATE"
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "custom.github-workflows-require-timeout": WORKFLOWS,
    "vendor.github-issue-forms": [FORMS / "bug_report.yml", FORMS / "feature_request.yml"],
    "vendor.github-issue-config": [FORMS / "config.yml"],
}

PINNED = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40}")

# Permissions beyond reading the sources, by workflow and job.
ALLOWED = {
    "release.yml": {
        "images": {"packages": "write", "id-token": "write", "attestations": "write"},
        "pypi": {"id-token": "write"},
        "release": {"contents": "write"},
    },
    "test.yml": {},
}


def load(name: str) -> dict[str, Any]:
    workflow = yaml.safe_load((GITHUB / "workflows" / name).read_text(encoding="utf-8"))
    assert isinstance(workflow, dict)
    return workflow


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in load(name)["jobs"].values() for step in job.get("steps", [])]


def step_script(name: str, job: str, step_id: str) -> str:
    return str(next(step["run"] for step in load(name)["jobs"][job]["steps"] if step.get("id") == step_id))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_match_githubs_schemas(schema: str) -> None:
    files = [str(path) for path in SCHEMAS[schema]]
    assert files

    result = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", NAMES)
def test_actions_are_pinned_to_a_commit_and_name_its_version(name: str) -> None:
    lines = re.findall(r"\buses: +(\S+)(.*)", (GITHUB / "workflows" / name).read_text(encoding="utf-8"))

    assert lines
    external = [(action, comment) for action, comment in lines if not action.startswith("./")]
    assert [action for action, _ in external if not PINNED.fullmatch(action)] == []
    assert [action for action, comment in external if not re.fullmatch(r"  # v\d+\.\d+\.\d+", comment)] == []


def test_all_workflows_pin_an_action_to_the_same_commit() -> None:
    used = {step["uses"] for name in NAMES for step in steps(name) if "uses" in step}

    assert len({action.partition("@")[0] for action in used}) == len(used)


@pytest.mark.parametrize("name", NAMES)
def test_jobs_have_only_the_permissions_they_need(name: str) -> None:
    workflow = load(name)

    assert workflow["permissions"] == {"contents": "read"}
    for job, content in workflow["jobs"].items():
        extra = {
            key: value for key, value in content.get("permissions", {}).items() if (key, value) != ("contents", "read")
        }
        assert extra == ALLOWED[name].get(job, {}), job


@pytest.mark.parametrize("name", NAMES)
def test_files_named_in_a_workflow_exist(name: str) -> None:
    text = (GITHUB / "workflows" / name).read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w/.-])(?:scripts|ppocr_serving|docker|\./\.github)/[\w./-]+\w", text))
    named |= set(re.findall(r"(?<![\w/.-])(?:requirements(?:/\w+)?\.txt|[A-Z]+\.md)\b", text))

    assert named
    assert [path for path in named if "*" not in path and not (ROOT / path).is_file()] == []
    assert [path for path in named if path.startswith("scripts/") and not os.access(ROOT / path, os.X_OK)] == []
    globs = re.findall(r"^ +(requirements\S*\.txt)$", text, re.MULTILINE)
    assert [pattern for pattern in globs if not list(ROOT.glob(pattern))] == []


@pytest.mark.parametrize("name", NAMES)
def test_untrusted_input_never_becomes_code(name: str) -> None:
    # A branch or a title may contain `$(...)`: values must reach the shell as variables.
    assert [step["run"] for step in steps(name) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("name", NAMES)
def test_checkouts_leave_no_token_behind(name: str) -> None:
    checkouts = [step for step in steps(name) if step.get("uses", "").startswith("actions/checkout@")]

    assert checkouts
    assert [step for step in checkouts if step["with"]["persist-credentials"] is not False] == []


def check_version(folder: Path, tag: str, changelog: str) -> subprocess.CompletedProcess[str]:
    """Run the first step of a release in a separate folder."""
    (folder / "ppocr_serving").mkdir()
    (folder / "ppocr_serving" / "__init__.py").write_bytes((ROOT / "ppocr_serving" / "__init__.py").read_bytes())
    (folder / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step_script("release.yml", "version", "check")],
        cwd=folder,
        env={**os.environ, "GITHUB_REF_NAME": tag, "GITHUB_OUTPUT": str(folder / "output")},
        capture_output=True,
        text=True,
        check=False,
    )


CHANGELOG = f"# Changelog\n\n## 999.0.0 (unreleased)\n\n- Later.\n\n## {__version__} (2026-01-31)\n\n- This.\n\n## 0.0.1 (2025-01-31)\n\n- Before.\n"  # fmt: skip  # noqa: E501


def test_release_notes_are_the_section_of_the_changelog(tmp_path: Path) -> None:
    result = check_version(tmp_path, f"v{__version__}", CHANGELOG)

    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "notes.md").read_text(encoding="utf-8").strip() == "- This."
    assert (tmp_path / "output").read_text(encoding="utf-8") == f"version={__version__}\n"


@pytest.mark.parametrize(
    ("tag", "changelog", "words"),
    [
        ("v0.0.0", CHANGELOG, ["v0.0.0", f"tag v{__version__}"]),
        (__version__, CHANGELOG, [f"tag v{__version__}"]),
        (f"v{__version__}", "# Changelog\n", ["CHANGELOG.md", __version__]),
        (f"v{__version__}", CHANGELOG.replace("2026-01-31", "unreleased"), ["dated", __version__]),
        (f"v{__version__}", CHANGELOG.replace("- This.", ""), ["CHANGELOG.md", __version__]),
    ],
)
def test_a_wrong_tag_or_changelog_publishes_nothing(tag: str, changelog: str, words: list[str], tmp_path: Path) -> None:
    result = check_version(tmp_path, tag, changelog)

    assert result.returncode == 1
    assert result.stdout.startswith("::error::")
    assert [word for word in words if word not in result.stdout] == []
    assert not (tmp_path / "output").exists()


def test_nothing_is_published_before_the_version_is_checked_and_the_tests_pass() -> None:
    jobs = load("release.yml")["jobs"]

    def needed(job: str) -> set[str]:
        needs = jobs[job].get("needs", [])
        direct = {needs} if isinstance(needs, str) else set(needs)
        return direct.union(*(needed(name) for name in direct))

    for job in ("images", "pypi", "release"):
        assert {"version", "test"} <= needed(job), job
    assert {"package", "images"} <= needed("pypi")
