"""Shared fixtures: the real models, and optional data next to the repository."""

import locale
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from ppocr_serving.engines import Runtime
from ppocr_serving.errors import ModelNotFound
from ppocr_serving.heap import return_freed_memory
from ppocr_serving.models import ModelFiles, default_model_dir, find_models
from ppocr_serving.settings import Settings, load_settings
from ppocr_serving.web.hubserving import MODULES
from tests.services import POOL, Service, create_service

# No test depends on how fast the machine is.
hypothesis.settings.register_profile("any-machine", deadline=None)
hypothesis.settings.load_profile("any-machine")

return_freed_memory()

_DATA_VARIABLE = "PPOCR_TEST_DATA"
_LOCALE = locale.setlocale(locale.LC_ALL)
_THOROUGH_WITH = {"thorough_with_hub": "hub", "thorough_with_paddle": Runtime.PADDLE}


V4 = "ppocr-v4-mobile"
"""The profile that both engines run, and PaddleOCR 2.10 too."""

RUNTIMES = (Runtime.OPENVINO, Runtime.PADDLE)


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what `-m` does not ask for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as thorough what is so with one engine or way of serving, whichever fixture has chosen that."""
    for item in items:
        # A test that is not parametrized has none.
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        for marker, value in _THOROUGH_WITH.items():
            if item.get_closest_marker(marker) and value in parameters.values():
                item.add_marker(pytest.mark.thorough)


def pytest_runtest_setup() -> None:
    """Give back the locale: OpenVINO changes it while it reads a model, and two that do so at once may leave it so."""
    locale.setlocale(locale.LC_ALL, _LOCALE)


@pytest.fixture(scope="module", autouse=True)
def _small_process() -> Iterator[None]:
    """Free the models of a file: those of all files, with what their largest inputs needed, would take gigabytes."""
    yield
    POOL.clear()


def settings_for(runtime: Runtime, profile: str = "") -> Settings:
    """Return the defaults, ignoring the environment, but in float32, so that answers do not depend on the processor.

    Args:
        runtime: The engine.
        profile: The profile; empty is the engine's default.
    """
    return load_settings(
        environ={
            "PPOCR_ENGINE": runtime,
            "PPOCR_PROFILE": profile,
            "PPOCR_PRECISION": "f32",
            "PPOCR_MODEL_DIR": str(default_model_dir()),
        }
    )


def models_of(settings: Settings) -> dict[str, ModelFiles]:
    """Return the files of the profile's models by role."""
    profile = settings.models.profile
    try:
        return {role: find_models(settings.models.directory(role), role, profile.name)[0] for role in profile.roles}
    except ModelNotFound as error:
        pytest.fail(
            f"the tests read pictures with the real models; run scripts/setup.sh --dev ({error})", pytrace=False
        )


@pytest.fixture(scope="session")
def v4_models() -> dict[str, ModelFiles]:
    """The files of PP-OCRv4 mobile, which both engines run, by role."""
    return models_of(settings_for(Runtime.PADDLE, V4))


@pytest.fixture(scope="module", params=RUNTIMES, ids=str)
def settings(request: pytest.FixtureRequest) -> Settings:
    """Settings for each engine with its default profile: tests that use this, or `services`, run with both."""
    settings = settings_for(request.param)
    assert models_of(settings)
    return settings


@pytest.fixture(scope="module")
def services(settings: Settings) -> dict[str, Service]:
    """The four services by name. They share one engine per model, which the first test loads."""
    return {name: create_service(name, settings) for name in MODULES}


@pytest.fixture(scope="module", params=RUNTIMES, ids=str)
def v4_services(request: pytest.FixtureRequest, v4_models: dict[str, ModelFiles]) -> dict[str, Service]:
    """The four services with PP-OCRv4 mobile, on each engine."""
    assert v4_models
    return {name: create_service(name, settings_for(request.param, V4)) for name in MODULES}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of pictures with known answers, which is not part of the repository."""
    named = os.environ.get(_DATA_VARIABLE)
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        if named:
            pytest.fail(f"{_DATA_VARIABLE} is {named!r}, which is not a folder; unset it or name one", pytrace=False)
        pytest.skip(f"no pictures with known answers at {folder}; {_DATA_VARIABLE} can name another folder")
    return folder
