"""Settings as one frozen structure, with a section for each part that needs them."""

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

import msgspec

from ppocr_serving.access import AccessSettings
from ppocr_serving.cpu import available_cpus
from ppocr_serving.engines.base import Backend, Precision, Runtime
from ppocr_serving.errors import InvalidSetting
from ppocr_serving.models import Profile, Role, default_model_dir, load_profile, read_line_shape, read_thresholds
from ppocr_serving.values import convert, parse_text, suggestion

__all__ = [
    "AdapterName",
    "CloserSideLength",
    "Dpi",
    "Fraction",
    "LimitType",
    "LogFormat",
    "ModelSettings",
    "ReadingOrder",
    "ReadingSettings",
    "ScoreMode",
    "ServerSettings",
    "Settings",
    "SideLength",
    "UnclipRatio",
    "load_settings",
    "parse_setting",
    "variable_names",
    "warn_of_unknown_variables",
]

_log = logging.getLogger(__name__)

_DEFAULT_PROFILE = "ppocr-v6"
_DEFAULT_PROFILE_ON_PADDLE = "ppocr-v4-mobile"

Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
SideLength = Annotated[int, msgspec.Meta(ge=32, le=8192)]
CloserSideLength = Annotated[int, msgspec.Meta(ge=0, le=4000)]
UnclipRatio = Annotated[float, msgspec.Meta(ge=0.1, le=10)]
Dpi = Annotated[int, msgspec.Meta(ge=72, le=600)]
LimitType = Literal["max", "min"]
ScoreMode = Literal["fast", "slow"]
LogFormat = Literal["text", "json"]
ReadingOrder = Literal["natural", "rows"]
AdapterName = Literal["liteparse", "ocrspace", "paddlex", "rapidocr", "umiocr", "none"]
_PictureShape = tuple[
    Literal[3], Annotated[int, msgspec.Meta(ge=8, le=256)], Annotated[int, msgspec.Meta(ge=8, le=6400)]
]
# Variables that platforms set; the first one set wins.
_Port = Annotated[int, msgspec.Meta(ge=1, le=65535, extra={"variables": ("PORT", "FC_CUSTOM_LISTEN_PORT")})]


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Models, and the runtime and hardware that they run on.

    Attributes:
        profile: The set of models. In the environment and in files: a profile's name, or the path of its TOML file. If
            none is named, it is `ppocr-v6`, or `ppocr-v4-mobile` where other settings leave the models to Paddle.
        model_dir: Folder of fetched models, with one folder per profile.
        det_model_dir: Folder of a custom detection model.
        cls_model_dir: Folder of a custom angle classifier.
        rec_model_dir: Folder of a custom recognition model.
        rec_dict: Dictionary of the recognition model, one character per line; None means that of the model's files.
        engine: The library that runs the models; `auto` is `openvino` if it is installed and able.
        backend: The kernels that Paddle runs the models with.
        precision: The number format of the computation; `auto` is bfloat16 if the processor supports it.
        threads: CPU threads per process; 0 is the process's share of the CPUs available to the server.
        kept_shapes: Input shapes that each OpenVINO engine keeps prepared, besides some fifteen that all engines
            share. More is faster if pictures differ in size; each takes 3 to 7 MB.
        rec_lanes: Engines of each recogniser that read lines side by side, at most one per thread. Each needs its own
            memory, and prepares shapes by itself.
        use_gpu: Run on the first visible CUDA device.
        enable_mkldnn: Use oneDNN instead of native kernels; only affects the `native` back end.
        cls_image_shape: Channels, height and width of the angle classifier's input.
        label_list: Names of the angle classifier's outputs.
        rec_image_shape: Channels, height and usual width of the recogniser's input; set by the profile.
        use_space_char: A recogniser with one class more than its dictionary and the blank outputs the space with it.
    """

    profile: Profile = msgspec.field(default_factory=lambda: load_profile(_DEFAULT_PROFILE))
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
    rec_lanes: Annotated[int, msgspec.Meta(ge=1, le=16)] = 4
    use_gpu: bool = False
    enable_mkldnn: bool = False

    cls_image_shape: _PictureShape = (3, 48, 192)
    label_list: tuple[str, str] = ("0", "180")
    rec_image_shape: _PictureShape = (3, 48, 320)
    use_space_char: bool = True

    def directory(self, role: Role) -> Path:
        """Return the folder of one model: the custom one, or the profile's."""
        return self.custom_directory(role) or self.profile_directory(role)

    def custom_directory(self, role: Role) -> Path | None:
        """Return the folder of a custom model; None if the profile's is used."""
        custom = {"det": self.det_model_dir, "cls": self.cls_model_dir, "rec": self.rec_model_dir}
        return custom.get(role)

    def profile_directory(self, role: Role) -> Path:
        """Return the folder of the profile's model."""
        return self.model_dir / self.profile.name / role

    def needs_paddle(self) -> bool:
        """Return whether only Paddle can do what is asked: other kernels and GPUs; it cannot run ONNX."""
        return _needs_paddle(self.engine, self.backend, self.use_gpu)

    def effective_backend(self) -> Backend:
        """Return the back end after applying `enable_mkldnn`."""
        return Backend.ONEDNN if self.enable_mkldnn and self.backend is Backend.NATIVE else self.backend


class ReadingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options for reading pictures. `ReadOptions` overrides all but the last five for one call.

    Attributes:
        det_limit_side_len: Pixels; see `det_limit_type`.
        det_limit_type: `max` shrinks pictures whose longer side exceeds the limit before detection, `min` enlarges
            those whose shorter side is below it.
        det_closer_side_len: Pixels of the longer side up to which pictures are enlarged for a second look, where the
            first one found small text; 0 means no second look.
        det_db_thresh: Probability above which a pixel is text.
        det_db_box_thresh: Minimum mean probability of a box.
        det_db_unclip_ratio: How far boxes are expanded.
        det_db_score_mode: Area of that mean: `fast` the box, `slow` the contour.
        use_dilation: Dilate the thresholded map before looking for boxes.
        use_angle_cls: Look for lines that are upside down.
        cls_thresh: Confidence above which a line is rotated.
        drop_score: Lines with less confidence are dropped when entire pictures are read.
        reread_score: Lines with less confidence are read again by the profile's second recogniser: 0 none, 1 all.
        reading_order: Order of the lines: `natural` reads columns one after the other, `rows` straight across the page.
            None is `rows` for the four modules, `natural` elsewhere.
        orientation: Read pictures that lie on their side or upside down as if they were upright.
        words: Find the words of each line.
        pdf_dpi: Pixels per inch at which pages of a PDF are rendered; in `ReadOptions` it is `dpi`.
        max_pages: Maximum pages read of one file.
        max_pixels: Maximum pixels per picture.
        max_lines: Maximum lines of the pictures of one call together; of a file with several pages, per page.
        compatible: Order and prepare lines as PaddleOCR 2.10 does, for profiles whose models it has; `load_settings`
            then leaves pictures as they lie unless `orientation` is given.
    """

    det_limit_side_len: SideLength = 960
    det_limit_type: LimitType = "max"
    det_closer_side_len: CloserSideLength = 1600
    det_db_thresh: Fraction = 0.3
    det_db_box_thresh: Fraction = 0.6
    det_db_unclip_ratio: UnclipRatio = 1.5
    det_db_score_mode: ScoreMode = "fast"
    use_dilation: bool = False
    use_angle_cls: bool = True
    cls_thresh: Fraction = 0.9
    drop_score: Fraction = 0.5
    reread_score: Fraction = 0.98
    reading_order: ReadingOrder | None = None
    orientation: bool = True
    words: bool = False
    pdf_dpi: Dpi = 200
    max_pages: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 500
    max_pixels: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 50_000_000
    max_lines: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000
    compatible: bool = False


class ServerSettings(AccessSettings, frozen=True, kw_only=True):
    """Server settings; only the environment and the command line set them, not modules. Further ones are inherited.

    Attributes:
        host: Address to listen on.
        port: Port to listen on, from `PORT`, else from `FC_CUSTOM_LISTEN_PORT`.
        workers: Processes that read pictures; each loads its own models.
        max_body_mb: Largest request body in MiB.
        max_images: Maximum number of pictures per request.
        max_request_pixels: Maximum total pixels per request.
        max_concurrency: Requests per process that run at the same time; the rest wait.
        max_queue: Requests per process that may wait before further ones are refused.
        queue_timeout: Seconds that a request may wait.
        request_timeout: Seconds that a request for pictures may take, its waiting included, and that a page of a
            document may be computed for; the client may ask for less.
        document_timeout: Seconds that a request for a document may take, its waiting included; the client may ask for
            less.
        header_timeout: Seconds that a client may take to send the head of a request, from the connection's start on.
        body_timeout: Seconds within which a body must grow by 64 KiB, or end.
        idle_timeout: Seconds for which a connection is kept between two requests. Proxies that pool connections must
            not run into closed ones, so it should be longer than theirs.
        drain_seconds: Seconds for which the server, once told to stop, goes on as before except that it is not ready.
        graceful_timeout: Seconds that requests may take to finish after that.
        max_memory_mb: Resident memory in MiB above which a process is replaced between requests; 0 replaces none.
        metrics: Show what is counted and measured at `/metrics`.
        log_format: `text` is a line per message and request, `json` an object in a line.
        adapters: Other services whose clients are served, too; `none` alone turns them all off.
        url_input: Fetch pictures and documents from URLs in requests.
        url_allowed_networks: Networks that are not public, such as 10.0.0.0/8, from which they are fetched, too.
    """

    host: str = "0.0.0.0"  # noqa: S104  # containers must be reachable; PPOCR_HOST restricts it
    port: _Port = 9000
    workers: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1
    max_body_mb: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 32
    max_images: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 64
    max_request_pixels: Annotated[int, msgspec.Meta(ge=1, le=100_000_000_000)] = 2_000_000_000
    max_concurrency: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2
    max_queue: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 64
    queue_timeout: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0
    request_timeout: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 60.0
    document_timeout: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 600.0
    header_timeout: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 10.0
    body_timeout: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 30.0
    idle_timeout: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 3600.0
    drain_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    graceful_timeout: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 4
    max_memory_mb: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    metrics: bool = True
    log_format: LogFormat = "text"
    adapters: tuple[AdapterName, ...] = ("liteparse", "ocrspace", "paddlex", "rapidocr", "umiocr")
    url_input: bool = False
    url_allowed_networks: tuple[str, ...] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings.

    Attributes:
        models: Which models run, and on what.
        reading: How pictures are read.
        server: Where the service listens, and its limits.
    """

    models: ModelSettings = msgspec.field(default_factory=ModelSettings)
    reading: ReadingSettings = msgspec.field(default_factory=ReadingSettings)
    server: ServerSettings = msgspec.field(default_factory=ServerSettings)

    def threads(self) -> int:
        """Return the number of CPU threads per process, at least 1."""
        return self.models.threads or max(1, available_cpus() // self.server.workers)


class _Field(NamedTuple):
    section: str
    hint: Any


def _fields() -> Iterator[tuple[str, _Field]]:
    for section, kind in get_type_hints(Settings).items():
        for name, hint in get_type_hints(kind, include_extras=True).items():
            # A profile is given by name, and loaded once it is known which source wins.
            yield name, _Field(section, str if hint is Profile else hint)


_FIELDS: Mapping[str, _Field] = dict(_fields())


def parse_setting(field: str, name: str, text: str) -> Any:
    """Parse one setting from a command line.

    Args:
        field: Its name in one of the sections.
        name: Its name in the error message.
        text: The value.

    Raises:
        InvalidSetting: The value is not allowed.
    """
    return parse_text(name, text, _FIELDS[field].hint, InvalidSetting)


def variable_names(field: str) -> tuple[str, ...]:
    """Return the environment variables of a field; the first one set wins.

    Args:
        field: Its name in one of the sections.
    """
    for meta in getattr(_FIELDS[field].hint, "__metadata__", ()):
        if meta.extra is not None:
            names: tuple[str, ...] = meta.extra["variables"]
            return names
    return (f"PPOCR_{field.upper()}",)


def load_settings(
    params: Mapping[str, Any] | None = None,
    init_args: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Assemble the settings. Later sources win: the profile, `params`, the environment, `init_args`.

    Args:
        params: A module's defaults, from its `params.py`.
        init_args: Arguments of one module, from `config.json` or `hub.Module(...)`.
        environ: Environment variables; None means the process's own. An empty value counts as unset.

    Returns:
        Validated settings.

    Raises:
        InvalidSetting: A name is unknown or a value is not allowed; the message names its source.
        ModelNotFound: The profile does not exist.
    """
    defaults = _of_module("params.py: ", params or {})
    variables = _of_environment(os.environ if environ is None else environ)
    arguments = _of_module("init_args: ", init_args or {})
    given = {**defaults, **variables, **arguments}
    profile = load_profile(given.get("profile") or _default_profile(given))
    mode = {"orientation": False} if given.get("compatible") else {}
    merged = {**_of_profile(profile), **_of_custom_models(given), **mode, **given, "profile": profile}
    sections: dict[str, dict[str, Any]] = {name: {} for name in Settings.__struct_fields__}
    for name, value in merged.items():
        sections[_FIELDS[name].section][name] = value
    return Settings(
        models=ModelSettings(**sections["models"]),
        reading=ReadingSettings(**sections["reading"]),
        server=ServerSettings(**sections["server"]),
    )


def _default_profile(given: Mapping[str, Any]) -> str:
    chosen = (given.get("engine", Runtime.AUTO), given.get("backend", Backend.OPENVINO), given.get("use_gpu", False))
    return _DEFAULT_PROFILE_ON_PADDLE if _needs_paddle(*chosen) else _DEFAULT_PROFILE


def _needs_paddle(engine: Runtime, backend: Backend, use_gpu: bool) -> bool:
    return engine is Runtime.PADDLE or backend is not Backend.OPENVINO or use_gpu


def _of_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for field, (_, hint) in _FIELDS.items():
        for variable in variable_names(field):
            if environ.get(variable):
                values[field] = parse_text(variable, environ[variable], hint, InvalidSetting)
                break
    return values


def _of_profile(profile: Profile) -> dict[str, Any]:
    det, cls, rec = profile.det, profile.cls, profile.rec
    stated = {
        "det_limit_side_len": det.limit_side_len,
        "det_limit_type": det.limit_type,
        "det_closer_side_len": det.closer_side_len,
        "det_db_thresh": det.thresh,
        "det_db_box_thresh": det.box_thresh,
        "det_db_unclip_ratio": det.unclip_ratio,
        "det_db_score_mode": det.score_mode,
        "use_dilation": det.use_dilation,
        "cls_image_shape": cls.image_shape,
        "label_list": cls.labels,
        "cls_thresh": cls.thresh,
        "rec_image_shape": rec.image_shape,
        "drop_score": profile.drop_score,
        "reread_score": profile.reread_score,
    }
    return _of_module(f"profile {profile.name}: ", stated)


def _of_custom_models(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the files of a custom detector and a custom recogniser say about themselves."""
    values: dict[str, Any] = {}
    detector: Path | None = given.get("det_model_dir")
    if detector is not None:
        stated = {f"det_db_{name}": value for name, value in read_thresholds(detector).items()}
        values |= _of_module(f"{detector}: ", stated)
    recognizer: Path | None = given.get("rec_model_dir")
    if recognizer is not None:
        values["reread_score"] = 0.0  # the profile's second recogniser may know other characters
        if (shape := read_line_shape(recognizer)) is not None:
            values |= _of_module(f"{recognizer}: ", {"rec_image_shape": shape})
    return values


def _of_module(origin: str, given: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for name, value in given.items():
        if name not in _FIELDS:
            raise InvalidSetting(f"{origin}unknown setting {name!r}{suggestion(name, _FIELDS)}")
        section, hint = _FIELDS[name]
        if section == "server":
            variable = variable_names(name)[0]
            raise InvalidSetting(f"{origin}{name} belongs to the server, not to a module; set {variable}")
        plain = str(value) if isinstance(value, Path) else value
        if isinstance(plain, str):
            values[name] = parse_text(f"{origin}{name}", plain, hint, InvalidSetting)
        else:
            values[name] = convert(f"{origin}{name}", plain, hint, InvalidSetting, strict=False)
    return values


def warn_of_unknown_variables(environ: Mapping[str, str] | None = None) -> None:
    """Log a warning for each `PPOCR_*` variable that is not a setting, suggesting the closest one.

    Args:
        environ: Environment variables; None means the process's own.
    """
    # A warning rather than an error: Kubernetes sets PPOCR_SERVICE_HOST and the like in every container next to a
    # service called "ppocr".
    known = {variable for field in _FIELDS for variable in variable_names(field)}
    for name in os.environ if environ is None else environ:
        if name.startswith("PPOCR_") and name not in known and "_SERVICE_" not in name and "_PORT" not in name:
            _log.warning("%s: unknown setting%s", name, suggestion(name, known))
