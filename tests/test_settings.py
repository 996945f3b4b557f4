"""Settings: their sources, their precedence, and the values that are refused."""

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.access import AccessSettings
from ppocr_serving.cpu import available_cpus
from ppocr_serving.engines import Backend, Precision, Runtime
from ppocr_serving.errors import InvalidSetting, ModelNotFound
from ppocr_serving.models import default_model_dir
from ppocr_serving.settings import Settings, load_settings, variable_names, warn_of_unknown_variables
from tests.flat_settings import field_names, value_of
from tests.models.archive_server import write_profile


def profile_with(tmp_path: Path, *replacements: tuple[str, str]) -> str:
    path = write_profile(tmp_path / "tiny.toml", {"kind": "archive", "url": "https://models.example/all.tar"})
    text = path.read_text()
    for old, new in (("[3, 48, 320]", "[3, 32, 320]"), *replacements):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return str(path)


def test_the_defaults_match_the_contract() -> None:
    settings = load_settings(environ={})
    assert settings == Settings()
    assert settings.models.model_dir == default_model_dir()
    expected = {
        "det_limit_side_len": 960,
        "det_limit_type": "max",
        "det_db_thresh": 0.3,
        "det_db_box_thresh": 0.6,
        "det_db_unclip_ratio": 1.5,
        "use_dilation": False,
        "det_db_score_mode": "fast",
        "use_angle_cls": True,
        "cls_image_shape": (3, 48, 192),
        "label_list": ("0", "180"),
        "cls_thresh": 0.9,
        "rec_image_shape": (3, 48, 320),
        "use_space_char": True,
        "drop_score": 0.5,
        "reread_score": 0.98,
        "orientation": True,
        "compatible": False,
        "engine": Runtime.AUTO,
        "backend": Backend.OPENVINO,
        "precision": Precision.AUTO,
    }
    assert settings.models.profile.name == "ppocr-v6"
    assert {field: value_of(settings, field) for field in expected} == expected


@pytest.mark.parametrize(
    ("field", "value", "profile"),
    [
        ("engine", "paddle", "ppocr-v4-mobile"),
        ("use_gpu", "true", "ppocr-v4-mobile"),
        ("backend", "native", "ppocr-v4-mobile"),
        ("backend", "onednn", "ppocr-v4-mobile"),
        ("engine", "openvino", "ppocr-v6"),
        ("engine", "auto", "ppocr-v6"),
        ("use_gpu", "false", "ppocr-v6"),
        ("backend", "openvino", "ppocr-v6"),
        ("enable_mkldnn", "true", "ppocr-v6"),  # has no effect on this back end
    ],
)
def test_the_default_profile_is_one_that_the_engine_can_run(field: str, value: str, profile: str) -> None:
    for settings in (
        load_settings({field: value}, environ={}),
        load_settings(environ={f"PPOCR_{field.upper()}": value}),
        load_settings(None, {field: value}, environ={}),
    ):
        assert settings.models.profile.name == profile
        assert settings.reading.reread_score == settings.models.profile.reread_score
        assert settings.reading.det_db_box_thresh == settings.models.profile.det.box_thresh


def test_a_named_profile_wins_over_the_engines_default() -> None:
    assert load_settings({"profile": "ppocr-v6"}, environ={"PPOCR_ENGINE": "paddle"}).models.profile.name == "ppocr-v6"
    assert load_settings(environ={"PPOCR_PROFILE": "ppocr-v4-mobile"}).models.profile.name == "ppocr-v4-mobile"


def test_the_source_that_wins_decides_on_the_engines_default() -> None:
    settings = load_settings({"engine": "paddle"}, {"engine": "openvino"}, environ={"PPOCR_ENGINE": "paddle"})
    assert settings.models.profile.name == "ppocr-v6"


def test_the_process_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPOCR_DROP_SCORE", "0.25")
    assert load_settings().reading.drop_score == 0.25


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        load_settings(environ={}).reading.drop_score = 0.1  # type: ignore[misc]


def test_later_sources_win(tmp_path: Path) -> None:
    profile = profile_with(tmp_path, ("drop_score = 0.5", "drop_score = 0.2"))
    params = {"drop_score": 0.1, "profile": profile}
    environ = {"PPOCR_DROP_SCORE": "0.3"}
    assert load_settings({"profile": profile}, environ={}).reading.drop_score == 0.2
    assert load_settings(params, environ={}).reading.drop_score == 0.1
    assert load_settings(params, environ=environ).reading.drop_score == 0.3
    assert load_settings(params, {"drop_score": 0.4}, environ=environ).reading.drop_score == 0.4


def test_any_source_can_set_the_profile(tmp_path: Path) -> None:
    profile = profile_with(tmp_path)
    assert load_settings(environ={}).models.rec_image_shape == (3, 48, 320)
    for settings in (
        load_settings({"profile": profile}, environ={}),
        load_settings({"profile": "ppocr-v4-mobile"}, environ={"PPOCR_PROFILE": profile}),
        load_settings(None, {"profile": profile}, environ={"PPOCR_PROFILE": "ppocr-v4-mobile"}),
    ):
        assert settings.models.profile.name == "tiny"
        assert settings.models.rec_image_shape == (3, 32, 320)


def test_the_environment_overrides_the_profiles_picture_shape(tmp_path: Path) -> None:
    environ = {"PPOCR_PROFILE": profile_with(tmp_path), "PPOCR_REC_IMAGE_SHAPE": "3, 64, 400"}
    assert load_settings(environ=environ).models.rec_image_shape == (3, 64, 400)


@pytest.mark.parametrize("field", field_names())
def test_an_empty_variable_counts_as_unset(field: str) -> None:
    assert load_settings(environ={variable_names(field)[0]: ""}) == Settings()


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("PPOCR_THREADS", " 3 ", 3),
        ("PPOCR_DET_DB_UNCLIP_RATIO", "2", 2.0),
        ("PPOCR_USE_DILATION", "true", True),
        ("PPOCR_USE_DILATION", "1", True),
        ("PPOCR_USE_ANGLE_CLS", "False", False),
        ("PPOCR_USE_ANGLE_CLS", "0", False),
        ("PPOCR_ENGINE", "paddle", Runtime.PADDLE),
        ("PPOCR_ENGINE", " openvino ", Runtime.OPENVINO),
        ("PPOCR_BACKEND", "native", Backend.NATIVE),
        ("PPOCR_PRECISION", "bf16", Precision.BF16),
        ("PPOCR_REC_IMAGE_SHAPE", "3,32,320", (3, 32, 320)),
        ("PPOCR_CLS_IMAGE_SHAPE", " 3 , 48 , 100 ", (3, 48, 100)),
        ("PPOCR_LABEL_LIST", "up, 180 down", ("up", "180 down")),
        ("PPOCR_MODEL_DIR", "/models", Path("/models")),
        ("PPOCR_REC_DICT", "~/keys.txt", Path("~/keys.txt").expanduser()),
        ("PPOCR_DET_LIMIT_TYPE", "min", "min"),
        ("PPOCR_QUEUE_TIMEOUT", "0.5", 0.5),
        ("PPOCR_MAX_MEMORY_MB", "900", 900),
        ("PPOCR_COMPATIBLE", "true", True),
        ("PPOCR_ORIENTATION", "false", False),
        ("PPOCR_API_KEYS", "alice:key-1, key-2", ("alice:key-1", "key-2")),
        ("PPOCR_CORS_ORIGINS", "*", ("*",)),
        ("PPOCR_TLS_CERT", "/etc/tls.crt", Path("/etc/tls.crt")),
        ("PPOCR_ADAPTERS", "umiocr, paddlex", ("umiocr", "paddlex")),
        ("PPOCR_ADAPTERS", "none", ("none",)),
        ("PPOCR_URL_INPUT", "true", True),
        ("PPOCR_URL_ALLOWED_NETWORKS", "10.0.0.0/8, fd00::/8", ("10.0.0.0/8", "fd00::/8")),
    ],
)
def test_values_are_read_from_text(variable: str, text: str, value: Any) -> None:
    settings = load_settings(environ={variable: text})
    assert value_of(settings, variable.removeprefix("PPOCR_").lower()) == value


@pytest.mark.parametrize(("field", "given_value"), [("cls_image_shape", [3, 32, 100]), ("label_list", ["a", "b"])])
def test_params_and_arguments_can_be_lists(field: str, given_value: list[Any]) -> None:
    assert value_of(load_settings({field: given_value}, environ={}), field) == tuple(given_value)
    assert value_of(load_settings(None, {field: given_value}, environ={}), field) == tuple(given_value)


NOT_ALLOWED = [
    ("engine", "onnxruntime", "auto, openvino, paddle"),
    ("backend", "tensorrt", "openvino, onednn, native"),
    ("precision", "fp16", "auto, bf16, f32"),
    ("det_limit_type", "maximum", "max, min"),
    ("det_db_score_mode", "quick", "fast, slow"),
    ("use_dilation", "perhaps", "true or false"),
    ("use_gpu", "2", "true or false"),
    ("adapters", "umi", "one of liteparse, ocrspace, paddlex, rapidocr, umiocr, none"),
    ("model_dir", "~no-such-user/models", "no such home directory"),
    ("threads", "-1", "from 0 to 1024"),
    ("threads", "two", "a whole number"),
    ("threads", "1.5", "a whole number"),
    ("det_limit_side_len", "31", "from 32 to 8192"),
    ("det_limit_side_len", "10000", "from 32 to 8192"),
    ("det_db_thresh", "-0.1", "a number from 0 to 1"),
    ("det_db_box_thresh", "1.01", "from 0 to 1"),
    ("det_db_unclip_ratio", "0", "from 0.1 to 10"),
    ("drop_score", "nan", "a number from 0 to 1"),
    ("cls_thresh", "inf", "from 0 to 1"),
    ("queue_timeout", "nan", "a number above 0 and up to "),
    ("queue_timeout", "0", "above 0"),
    ("queue_timeout", "-inf", "above 0"),
    ("det_db_unclip_ratio", "nan", "from 0.1 to 10"),
    ("rec_image_shape", "3,48", "a list of 3 items"),
    ("rec_image_shape", "1,48,320", "3"),
    ("rec_image_shape", "3,0,320", "a whole number from 8"),
    ("cls_image_shape", "3x48x192", "a list of 3 items"),
    ("label_list", "0", "a list of 2 items"),
    ("max_images", "0", "from 1 to "),
    ("max_pixels", "-5", "from 1 to "),
    ("max_memory_mb", "-1", "from 0 to "),
    ("metrics", "prometheus", "true or false"),
    ("log_format", "logfmt", "text, json"),
]


SERVER_FIELDS = {
    "host",
    "max_body_mb",
    "max_images",
    "max_request_pixels",
    "max_concurrency",
    "max_queue",
    "queue_timeout",
    "request_timeout",
    "document_timeout",
    "header_timeout",
    "body_timeout",
    "idle_timeout",
    "drain_seconds",
    "graceful_timeout",
    "max_memory_mb",
    "metrics",
    "log_format",
    "workers",
    "port",
    *AccessSettings.__struct_fields__,
    "adapters",
    "url_input",
    "url_allowed_networks",
}


@pytest.mark.parametrize("field", sorted(SERVER_FIELDS))
def test_a_module_cannot_set_server_settings(field: str) -> None:
    for origin, params, init_args in (("params.py", {field: 1}, None), ("init_args", None, {field: 1})):
        with pytest.raises(InvalidSetting) as caught:
            load_settings(params, init_args, environ={})
        assert str(caught.value) == (
            f"{origin}: {field} belongs to the server, not to a module; set {variable_names(field)[0]}"
        )


@pytest.mark.parametrize(("field", "text", "allowed"), NOT_ALLOWED)
def test_an_invalid_value_is_reported_in_one_line(field: str, text: str, allowed: str) -> None:
    sources: dict[str, dict[str, Any]] = {variable_names(field)[0]: {"environ": {variable_names(field)[0]: text}}}
    if field not in SERVER_FIELDS:
        sources[f"params.py: {field}"] = {"params": {field: text}, "environ": {}}
        sources[f"init_args: {field}"] = {"init_args": {field: text}, "environ": {}}
    for place, arguments in sources.items():
        with pytest.raises(InvalidSetting) as caught:
            load_settings(**arguments)
        message = str(caught.value)
        assert message.startswith(f"{place} is {text!r}: ")
        assert allowed in message
        assert "\n" not in message


@pytest.mark.parametrize("value", [None, [], {}, b"1"])
def test_values_of_the_wrong_type_are_refused(value: Any) -> None:
    with pytest.raises(
        InvalidSetting, match=re.escape(f"init_args: drop_score is {value!r}: must be a number from 0 to 1")
    ):
        load_settings(None, {"drop_score": value}, environ={})


@given(st.sampled_from(field_names()), st.text(max_size=12))
def test_any_text_gives_valid_settings_or_an_error_that_names_the_variable(field: str, text: str) -> None:
    try:
        settings = load_settings(environ={variable_names(field)[0]: text})
    except (InvalidSetting, ModelNotFound) as error:
        message = str(error)
    else:
        value = value_of(settings, field)
        if field not in SERVER_FIELDS and field != "profile":
            assert value_of(load_settings(None, {field: value}, environ={}), field) == value
        return
    assert "\n" not in message
    assert field == "profile" or message.startswith(f"{variable_names(field)[0]} is {text!r}: ")


@pytest.mark.parametrize("origin", ["params", "init_args"])
def test_an_unknown_name_is_refused_with_a_suggestion(origin: str) -> None:
    with pytest.raises(InvalidSetting, match=r"unknown setting 'drop_scores'; did you mean drop_score\?"):
        load_settings(**{origin: {"drop_scores": 0.5}}, environ={})
    with pytest.raises(InvalidSetting, match=r"unknown setting 'xyzzy'$"):
        load_settings(**{origin: {"xyzzy": 1}}, environ={})


def test_a_bad_value_of_a_profile_names_the_profile(tmp_path: Path) -> None:
    profile = profile_with(tmp_path, ("unclip_ratio = 1.6", "unclip_ratio = 70"))
    with pytest.raises(
        InvalidSetting, match=r"profile tiny: det_db_unclip_ratio is 70\.0: must be a number from 0\.1 to 10"
    ):
        load_settings(environ={"PPOCR_PROFILE": profile})


def test_a_profile_states_the_thresholds_and_shapes(tmp_path: Path) -> None:
    stated = {
        "limit_side_len = 960": ("limit_side_len = 640", "det_limit_side_len", 640),
        'limit_type = "max"': ('limit_type = "min"', "det_limit_type", "min"),
        "thresh = 0.3": ("thresh = 0.2", "det_db_thresh", 0.2),
        "box_thresh = 0.5": ("box_thresh = 0.6", "det_db_box_thresh", 0.6),
        "unclip_ratio = 1.6": ("unclip_ratio = 1.5", "det_db_unclip_ratio", 1.5),
        'score_mode = "fast"': ('score_mode = "slow"', "det_db_score_mode", "slow"),
        "use_dilation = false": ("use_dilation = true", "use_dilation", True),
        "[3, 48, 192]": ("[3, 80, 160]", "cls_image_shape", (3, 80, 160)),
        '["0", "180"]': ('["up", "180"]', "label_list", ("up", "180")),
        "thresh = 0.9": ("thresh = 0.8", "cls_thresh", 0.8),
        "drop_score = 0.5": ("drop_score = 0.4", "drop_score", 0.4),
    }
    path = profile_with(tmp_path, *((old, new) for old, (new, _, _) in stated.items()))
    settings = load_settings(environ={"PPOCR_PROFILE": path})
    assert {name: value_of(settings, name) for _, name, _ in stated.values()} == {
        name: value for _, name, value in stated.values()
    }


def test_a_custom_detector_says_its_thresholds_itself(tmp_path: Path) -> None:
    environ = {"PPOCR_DET_MODEL_DIR": str(tmp_path)}

    def thresholds(**variables: str) -> tuple[float, float, float]:
        reading = load_settings(environ=environ | variables).reading
        return reading.det_db_thresh, reading.det_db_box_thresh, reading.det_db_unclip_ratio

    assert thresholds() == (0.3, 0.6, 1.5)
    (tmp_path / "inference.yml").write_text("PostProcess:\n  box_thresh: 0.4\n  thresh: 0.2\n  unclip_ratio: 2\n")
    assert thresholds() == (0.2, 0.4, 2)
    assert thresholds(PPOCR_DET_DB_BOX_THRESH="0.7") == (0.2, 0.7, 2)
    (tmp_path / "inference.yml").write_text("PostProcess:\n  name: DBPostProcess\n")
    assert thresholds() == (0.3, 0.6, 1.5)
    (tmp_path / "inference.yml").write_text("PostProcess:\n  thresh: 20\n")
    with pytest.raises(InvalidSetting, match=rf"{tmp_path}: det_db_thresh is 20\.0: "):
        thresholds()


def test_a_custom_recogniser_says_the_shape_of_its_input_itself(tmp_path: Path) -> None:
    environ = {"PPOCR_REC_MODEL_DIR": str(tmp_path)}
    assert load_settings(environ=environ).models.rec_image_shape == (3, 48, 320)
    shape = "PreProcess:\n  transform_ops:\n  - RecResizeImg:\n      image_shape:\n      - 3\n      - 32\n      - 256\n"
    (tmp_path / "inference.yml").write_text(shape)
    assert load_settings(environ=environ).models.rec_image_shape == (3, 32, 256)
    assert load_settings(environ=environ | {"PPOCR_REC_IMAGE_SHAPE": "3,64,400"}).models.rec_image_shape == (3, 64, 400)


def test_an_unknown_variable_gets_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        warn_of_unknown_variables({"PPOCR_DROPSCORE": "0.1", "HOME": "/root", "PPOCR_WORKERS": "2"})
    assert [record.getMessage() for record in caplog.records] == [
        "PPOCR_DROPSCORE: unknown setting; did you mean PPOCR_DROP_SCORE?"
    ]


def test_variables_kubernetes_sets_for_a_service_called_ppocr_are_ignored(caplog: pytest.LogCaptureFixture) -> None:
    names = ("PPOCR_SERVICE_HOST", "PPOCR_SERVICE_PORT", "PPOCR_PORT", "PPOCR_PORT_9000_TCP_ADDR")
    variables = dict.fromkeys(names, "tcp://10.0.0.1:9000")
    warn_of_unknown_variables(variables)
    assert load_settings(environ=variables) == Settings()
    assert caplog.records == []


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(ModelNotFound, match="'ppocr-v9' does not exist"):
        load_settings(environ={"PPOCR_PROFILE": "ppocr-v9"})


def test_models_are_in_the_profiles_folder_unless_set_individually() -> None:
    settings = load_settings(environ={"PPOCR_MODEL_DIR": "/m", "PPOCR_DET_MODEL_DIR": "/own/det"})
    assert settings.models.directory("det") == Path("/own/det")
    assert settings.models.directory("cls") == Path("/m/ppocr-v6/cls")
    assert settings.models.directory("rec") == Path("/m/ppocr-v6/rec")


def test_the_folder_is_named_after_the_profile_and_not_after_its_file(tmp_path: Path) -> None:
    path = Path(profile_with(tmp_path))
    moved = path.rename(tmp_path / "renamed.toml")
    settings = load_settings(environ={"PPOCR_PROFILE": str(moved), "PPOCR_MODEL_DIR": "/m"})
    assert settings.models.directory("det") == Path("/m/tiny/det")


def test_threads_default_to_the_cpus_of_this_process() -> None:
    assert load_settings(environ={}).threads() == available_cpus()
    assert load_settings(environ={"PPOCR_THREADS": "7"}).threads() == 7


@pytest.mark.parametrize(
    ("backend", "effective"),
    [("openvino", Backend.OPENVINO), ("onednn", Backend.ONEDNN), ("native", Backend.ONEDNN)],
)
def test_enable_mkldnn_only_replaces_the_native_kernels(backend: str, effective: Backend) -> None:
    environ = {"PPOCR_BACKEND": backend}
    assert load_settings(None, {"enable_mkldnn": True}, environ).models.effective_backend() is effective
    assert load_settings(None, {"enable_mkldnn": False}, environ).models.effective_backend() == backend


def test_processes_share_the_cpus_unless_threads_are_set() -> None:
    cpus = available_cpus()
    assert load_settings(environ={}).threads() == cpus
    assert load_settings(environ={"PPOCR_WORKERS": "2"}).threads() == max(1, cpus // 2)
    assert load_settings(environ={"PPOCR_WORKERS": "1024"}).threads() == 1
    assert load_settings(environ={"PPOCR_WORKERS": "2", "PPOCR_THREADS": "3"}).threads() == 3
