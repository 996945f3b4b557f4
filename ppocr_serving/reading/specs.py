"""Which engines a reader needs, from its settings alone: no array and no picture is touched."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from ppocr_serving.engines import Backend, EngineSpec, Precision, Runtime, choose_runtime
from ppocr_serving.engines.base import computes_bfloat16
from ppocr_serving.errors import InvalidSetting
from ppocr_serving.models import Role, compatible_profiles
from ppocr_serving.reading.models import characters_of, spec_of
from ppocr_serving.settings import Settings

__all__ = [
    "ModelsInUse",
    "engine_specs",
    "has_second_recognizer",
    "models_in_use",
    "require_models",
    "require_supported_profile",
    "roles_to_load",
    "runs_on_openvino",
]


class ModelsInUse(NamedTuple):
    """What reads pictures, in words.

    Attributes:
        profile: The set of models.
        engine: The library that runs them: `openvino` or `paddle`.
        precision: The number format of the computation: `bf16` or `f32`.
    """

    profile: str
    engine: str
    precision: str


def models_in_use(settings: Settings, roles: Iterable[Role]) -> ModelsInUse:
    """Return what a reader reads with, once `auto` has been decided.

    Args:
        settings: The reader's settings.
        roles: The models that it uses.

    Raises:
        InvalidSetting: A setting is not supported on this machine.
        ModelNotFound: The profile or a model's files are missing.
    """
    models = settings.models
    is_openvino = all(runs_on_openvino(settings, role) for role in roles)
    has_bfloat16 = is_openvino or (models.effective_backend() is Backend.OPENVINO and not models.use_gpu)
    precision = Precision.BF16 if has_bfloat16 and computes_bfloat16(models.precision) else Precision.F32
    return ModelsInUse(models.profile.name, Runtime.OPENVINO if is_openvino else Runtime.PADDLE, precision)


def has_second_recognizer(settings: Settings) -> bool:
    """Return whether doubtful lines can be read again: by a model that belongs to the first one."""
    return settings.models.profile.reread is not None and settings.models.rec_model_dir is None


def roles_to_load(settings: Settings, roles: Iterable[Role]) -> tuple[Role, ...]:
    """Return what a reader loads at its start: its roles, and the second recogniser if the first one needs it.

    Raises:
        InvalidSetting: The settings need a second recogniser, and there is none.
    """
    wanted = tuple(roles)
    if "rec" not in wanted or settings.reading.reread_score <= 0:
        return wanted
    if not has_second_recognizer(settings):
        where, remedy = "for a custom model", "set it to 0"
        if settings.models.rec_model_dir is None:
            where = f"in profile {settings.models.profile.name}"
            if not settings.models.needs_paddle():
                remedy = "set it to 0, or set PPOCR_PROFILE=ppocr-v6"
        raise InvalidSetting(
            f"PPOCR_REREAD_SCORE is {settings.reading.reread_score:g}, but there is no second recogniser {where}; "
            f"{remedy}"
        )
    return tuple(dict.fromkeys((*wanted, "reread")))


def require_supported_profile(settings: Settings) -> None:
    """Check that the profile can be read as the settings say.

    Raises:
        InvalidSetting: They say as PaddleOCR 2.10 does, which does not have the profile's models.
    """
    profile = settings.models.profile
    if settings.reading.compatible and not profile.compatible:
        raise InvalidSetting(
            f"PPOCR_COMPATIBLE is true, but PaddleOCR 2.10 does not have the models of profile {profile.name}; "
            f"set it to false, or set PPOCR_PROFILE to one of {', '.join(compatible_profiles())}"
        )


def require_models(settings: Settings, roles: Iterable[Role]) -> None:
    """Check that a reader can be made, in a process that needs none itself.

    Args:
        settings: The reader's settings.
        roles: The models that it will use.

    Raises:
        InvalidSetting: A setting is not supported on this machine.
        ModelNotFound: The profile, a model's files or the dictionary are missing.
    """
    require_supported_profile(settings)
    for role in roles_to_load(settings, roles):
        runs_on_openvino(settings, role)
        if role in ("rec", "reread"):
            characters_of(settings, role)


def engine_specs(settings: Settings, role: Role) -> list[EngineSpec]:
    """Return the specifications of a role's engines.

    Raises:
        InvalidSetting: A setting is not supported on this machine.
        ModelNotFound: The profile or a model's files are missing.
    """
    spec = spec_of(settings, role)
    if choose_runtime(spec) is not Runtime.OPENVINO:
        return [spec]
    if role == "cls":
        # Compiled for one line at a time: changing the batch size takes as long as several lines.
        return [replace(spec, fixed_shape=(1, *settings.models.cls_image_shape))]
    if role == "det":
        return [spec]
    # Several engines with few lines and threads each are faster than one with many lines and all threads, but each
    # needs its own memory.
    lanes = min(spec.threads, settings.models.rec_lanes)
    each, extra = divmod(spec.threads, lanes)
    return [replace(spec, threads=each + (lane < extra), lane=lane) for lane in range(lanes)]


def runs_on_openvino(settings: Settings, role: Role) -> bool:
    """Return whether OpenVINO runs a role's model, and not Paddle.

    Raises:
        InvalidSetting: A setting is not supported on this machine.
        ModelNotFound: The profile or a model's files are missing.
    """
    return choose_runtime(spec_of(settings, role)) is Runtime.OPENVINO
