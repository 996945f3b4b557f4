"""One frozen structure of settings, from the environment, a module's defaults and its arguments."""

import difflib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from ppocr_serving.cpu import available_cpus
from ppocr_serving.engines.base import Backend, Precision, Runtime
from ppocr_serving.errors import InvalidSetting
from ppocr_serving.models import Profile, default_model_dir, load_profile

__all__ = ["Role", "Settings", "load_settings", "variable_name", "warn_of_unknown_variables"]

_log = logging.getLogger(__name__)

_DEFAULT_PROFILE = "ppocr-v4-mobile"

Role = Literal["det", "cls", "rec"]

_Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
_PictureShape = tuple[
    Literal[3], Annotated[int, msgspec.Meta(ge=8, le=256)], Annotated[int, msgspec.Meta(ge=8, le=6400)]
]

# They belong to the server and not to a module, so only the environment sets them.
_SERVER_FIELDS = frozenset(
    {
        "host",
        "workers",
        "max_body_mb",
        "max_images",
        "max_request_pixels",
        "max_concurrency",
        "max_queue",
        "queue_timeout",
        "graceful_timeout",
        "max_memory_mb",
    }
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set. The environment variable of a field is `PPOCR_` and its name in capitals.

    Attributes:
        profile: Which models to use: a profile's name, or the path of a profile's TOML file.
        model_dir: Where fetched models lie; a folder a profile.
        det_model_dir: Folder of a detection model of one's own.
        cls_model_dir: Folder of an angle classifier of one's own.
        rec_model_dir: Folder of a recognition model of one's own.
        rec_dict: Dictionary of that recognition model, one character a line.
        engine: The library that runs the models; `auto` is `openvino` where it is installed and can.
        backend: The kernels that Paddle runs the models with.
        precision: The number format that models are computed in; `auto` is bfloat16 where the processor has it.
        threads: CPU threads that a process computes with; 0 is its part of the CPUs that all processes of the server
            may use.
        kept_shapes: Shapes of input that each of OpenVINO's engines keeps prepared, beside some fifteen that all of
            them share: more is faster where pictures differ in size, and takes 3 to 7 MB each.
        use_gpu: Run on the first visible CUDA device.
        enable_mkldnn: Do not use plain kernels: turns the `native` back end into `onednn` and changes nothing else.
        det_limit_side_len: Pixels, see `det_limit_type`.
        det_limit_type: `max` shrinks pictures with a longer longer side, `min` enlarges those with a shorter shorter
            side before detection.
        det_db_thresh: Probability above which a pixel is text.
        det_db_box_thresh: Mean probability that a box needs.
        det_db_unclip_ratio: How much boxes are grown.
        det_db_score_mode: What the mean is taken over: `fast` the box, `slow` the contour.
        use_dilation: Thicken the thresholded map before looking for boxes.
        use_angle_cls: Look for lines that stand on their head.
        cls_image_shape: Channels, height and width that the angle classifier takes.
        label_list: Names of the angle classifier's outputs.
        cls_thresh: Confidence above which a line is turned.
        rec_image_shape: Channels, height and usual width that the recogniser takes; the profile says which.
        use_space_char: The recogniser knows the space in addition to the dictionary.
        drop_score: Lines with less confidence are left out by `ocr_system`.
        host: Address to listen on.
        workers: Processes that answer requests; each loads its own models.
        max_body_mb: Largest request in MiB.
        max_images: Most pictures in a request.
        max_pixels: Most pixels of a picture.
        max_request_pixels: Most pixels of all pictures of a request together.
        max_concurrency: Requests that are worked on at the same time in a process; the rest waits.
        max_queue: Requests that may wait in a process before further ones are refused.
        queue_timeout: Seconds that a request may wait.
        graceful_timeout: Seconds that requests may take to finish once the server is told to stop.
        max_memory_mb: Resident memory in MiB above which a process is replaced between requests; 0 replaces none.
    """

    profile: str = _DEFAULT_PROFILE
    model_dir: Path = msgspec.field(default_factory=default_model_dir)
    det_model_dir: Path | None = None
    cls_model_dir: Path | None = None
    rec_model_dir: Path | None = None
    rec_dict: Path | None = None

    engine: Runtime = Runtime.AUTO
    backend: Backend = Backend.OPENVINO
    precision: Precision = Precision.AUTO
    threads: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 0
    kept_shapes: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 16
    use_gpu: bool = False
    enable_mkldnn: bool = False

    det_limit_side_len: Annotated[int, msgspec.Meta(ge=32, le=8192)] = 960
    det_limit_type: Literal["max", "min"] = "max"
    det_db_thresh: _Fraction = 0.3
    det_db_box_thresh: _Fraction = 0.5
    det_db_unclip_ratio: Annotated[float, msgspec.Meta(ge=0.1, le=10)] = 1.6
    det_db_score_mode: Literal["fast", "slow"] = "fast"
    use_dilation: bool = False

    use_angle_cls: bool = True
    cls_image_shape: _PictureShape = (3, 48, 192)
    label_list: tuple[str, str] = ("0", "180")
    cls_thresh: _Fraction = 0.9

    rec_image_shape: _PictureShape = (3, 48, 320)
    use_space_char: bool = True
    drop_score: _Fraction = 0.5

    host: str = "0.0.0.0"  # noqa: S104  # containers must be reachable; PPOCR_HOST narrows it
    workers: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1
    max_body_mb: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 32
    max_images: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 64
    max_pixels: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 50_000_000
    max_request_pixels: Annotated[int, msgspec.Meta(ge=1, le=100_000_000_000)] = 500_000_000
    max_concurrency: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2
    max_queue: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 64
    queue_timeout: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0
    graceful_timeout: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 4
    max_memory_mb: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0

    def model_directory(self, role: Role) -> Path:
        """The folder of one model: the user's own, or the profile's."""
        own: Path | None = getattr(self, f"{role}_model_dir")
        return own if own is not None else self.model_dir / load_profile(self.profile).name / role

    def dictionary_path(self) -> Path:
        """The recogniser's dictionary: the user's own, or the profile's."""
        return self.rec_dict or self.model_dir / load_profile(self.profile).name / "rec" / "dictionary.txt"

    def effective_threads(self) -> int:
        """CPU threads that a process computes with, at least 1."""
        return self.threads or max(1, available_cpus() // self.workers)

    def effective_backend(self) -> Backend:
        """The back end after `enable_mkldnn` had its say."""
        return Backend.ONEDNN if self.enable_mkldnn and self.backend is Backend.NATIVE else self.backend


_HINTS = get_type_hints(Settings, include_extras=True)


def variable_name(field: str) -> str:
    """The environment variable of a field."""
    return f"PPOCR_{field.upper()}"


def load_settings(
    params: Mapping[str, Any] | None = None,
    init_args: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Puts the settings together. Later sources win: `params`, the profile, the environment, `init_args`.

    Args:
        params: A module's defaults, from its `params.py`.
        init_args: Arguments of one module, from `config.json` or `hub.Module(...)`.
        environ: Environment variables; None takes the process's own. An empty value counts as unset.

    Returns:
        Validated settings.

    Raises:
        InvalidSetting: A name is unknown or a value not allowed; the message names where it stands.
        ModelNotFound: There is no such profile.
    """
    environ = os.environ if environ is None else environ
    given = _checked("params.py: ", params or {})
    from_environ = {
        field: _convert(variable_name(field), environ[variable_name(field)], field)
        for field in Settings.__struct_fields__
        if environ.get(variable_name(field))
    }
    arguments = _checked("init_args: ", init_args or {})
    name = {**given, **from_environ, **arguments}.get("profile", _DEFAULT_PROFILE)
    profile = load_profile(name)
    return Settings(**{**given, **_profile_settings(profile), **from_environ, **arguments})


def _profile_settings(profile: Profile) -> dict[str, Any]:
    values = _checked(f"profile {profile.name}: ", profile.thresholds)
    values["rec_image_shape"] = _convert(
        f"profile {profile.name}: rec.picture_shape", profile.rec.picture_shape, "rec_image_shape"
    )
    return values


def _checked(origin: str, values: Mapping[str, Any]) -> dict[str, Any]:
    for field in values:
        if field not in _HINTS:
            raise InvalidSetting(f"{origin}there is no setting {field!r}{_suggestion(field, _HINTS)}")
        if field in _SERVER_FIELDS:
            raise InvalidSetting(f"{origin}{field} belongs to the server, not to a module; set {variable_name(field)}")
    return {field: _convert(f"{origin}{field}", value, field) for field, value in values.items()}


def _convert(origin: str, value: Any, field: str) -> Any:
    hint = _HINTS[field]
    raw = value
    if isinstance(value, str):
        raw = value.strip()
        if field.endswith(("_shape", "_list")):
            raw = [part.strip() for part in raw.split(",")]
        elif Path in (hint, *getattr(hint, "__args__", ())):
            try:
                return Path(raw).expanduser()
            except RuntimeError as error:
                raise InvalidSetting(f"{origin} is {value!r}: there is no such home directory") from error
    try:
        return msgspec.convert(raw, hint, strict=False)
    except msgspec.ValidationError as error:
        reason = str(error)[:1].lower() + str(error)[1:]
        raise InvalidSetting(f"{origin} is {value!r}: {reason}{_allowed(hint)}") from error


def _allowed(hint: Any) -> str:
    if isinstance(hint, type) and issubclass(hint, (Backend, Precision, Runtime)):
        return f"; allowed: {', '.join(hint)}"
    if get_origin(hint) is Literal:
        return f"; allowed: {', '.join(map(str, get_args(hint)))}"
    if get_origin(hint) is Annotated:
        kind, meta = get_args(hint)
        lowest = f"above {meta.gt}" if meta.gt is not None else f"from {meta.ge}"
        return f"; allowed: {'whole ' if kind is int else ''}numbers {lowest} to {meta.le}"
    return "; allowed: true, false" if hint is bool else ""


def warn_of_unknown_variables(environ: Mapping[str, str] | None = None) -> None:
    """Logs a warning for each `PPOCR_*` variable that is no setting, with the one that was probably meant.

    Args:
        environ: Environment variables; None takes the process's own.
    """
    # A warning and no error: Kubernetes puts PPOCR_SERVICE_HOST and the like into the environment of every container
    # beside a service called "ppocr".
    known = {variable_name(field) for field in _HINTS}
    for name in os.environ if environ is None else environ:
        if name.startswith("PPOCR_") and name not in known and "_SERVICE_" not in name and "_PORT" not in name:
            _log.warning("%s: there is no such setting%s", name, _suggestion(name, known))


def _suggestion(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
