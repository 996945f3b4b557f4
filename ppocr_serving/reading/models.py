"""The models of a reader: which files run on the engine that the settings ask for, and what they read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ppocr_serving.engines import PACKAGES, EngineSpec, Runtime, choose_model, installed_runtimes
from ppocr_serving.errors import InvalidSetting, ModelNotFound
from ppocr_serving.models import (
    Role,
    find_characters,
    find_models,
    load_dictionary,
    paddle_profiles,
    profile_names,
)
from ppocr_serving.models.files import sha256_of
from ppocr_serving.settings import Settings

__all__ = ["characters_of", "hashes_of", "spec_of"]

_DICTIONARIES: Final = ("inference.yml", "dictionary.txt")


def spec_of(settings: Settings, role: Role) -> EngineSpec:
    """Return the specification of the engine of one model.

    Raises:
        InvalidSetting: The profile has no such model, or none that runs on the engine that is set.
        ModelNotFound: The model's files are missing.
    """
    models = settings.models
    if models.custom_directory(role) is None:
        _require_engine(settings, role)
    name = models.profile.name
    # Another one than the settings', if a program names it; a name says nothing of where a file outside lies.
    found = find_models(models.directory(role), role, name if name in profile_names() else None)
    spec = EngineSpec(
        model=found[0],
        backend=models.effective_backend(),
        precision=models.precision,
        threads=settings.threads(),
        use_gpu=models.use_gpu,
        runtime=models.engine,
        kept_shapes=models.kept_shapes,
    )
    return choose_model(spec, found)


def characters_of(settings: Settings, role: Role = "rec") -> tuple[str, ...]:
    """Return the characters of a recogniser in the order of its outputs, without CTC's blank and an added space.

    A custom model without a dictionary is taken to be trained on the profile's.

    Args:
        settings: The settings.
        role: `rec` or `reread`.

    Raises:
        ModelNotFound: There is no dictionary, or it cannot be read.
    """
    models = settings.models
    if role == "rec" and models.rec_dict is not None:
        return load_dictionary(models.rec_dict)
    for folder in dict.fromkeys((models.directory(role), models.profile_directory(role))):
        try:
            found = find_models(folder, role)
        except ModelNotFound:
            continue
        for model in found:
            characters = find_characters(model)
            if characters is not None:
                return characters
    remedy = "set PPOCR_REC_DICT to the dictionary" if role == "rec" else "use another profile"
    raise ModelNotFound(
        f"{role} model: {models.directory(role)} has neither dictionary.txt, nor inference.yml with a character_dict, "
        f"nor inference.onnx with the dictionary in its metadata; {remedy}"
    )


def _require_engine(settings: Settings, role: Role) -> None:
    profile = settings.models.profile
    model = profile.model(role)
    if model.runs_on_paddle:
        return
    reason, remedy = "", "set PPOCR_ENGINE=auto"
    if Runtime.OPENVINO not in installed_runtimes():
        reason, remedy = "engine openvino is not installed, and ", f"run `pip install {PACKAGES[Runtime.OPENVINO]}`"
    elif settings.models.engine is not Runtime.PADDLE:
        return
    raise InvalidSetting(
        f"{reason}engine paddle cannot run the {role} model of profile {profile.name}, which is not in Paddle's "
        f"format; {remedy}, or set PPOCR_PROFILE to one of {', '.join(paddle_profiles())}"
    )


def hashes_of(settings: Settings, roles: Iterable[Role]) -> dict[str, str]:
    """Return the SHA-256 of the files of models and dictionaries, by role and name, such as `det/inference.onnx`.

    Raises:
        InvalidSetting: As `spec_of`.
        ModelNotFound: As `spec_of`.
    """
    hashes: dict[str, str] = {}
    for role in roles:
        model = spec_of(settings, role).model
        files = [model.program, *([] if model.params is None else [model.params])]
        if role in ("rec", "reread"):
            own = settings.models.rec_dict if role == "rec" else None
            files += [own] if own is not None else [model.program.with_name(name) for name in _DICTIONARIES]
        hashes |= {f"{role}/{path.name}": sha256_of(path) for path in filter(Path.is_file, files)}
    return hashes
