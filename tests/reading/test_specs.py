"""What reads pictures, as the settings decide it."""

import pytest

from ppocr_serving.cpu import supports_bfloat16
from ppocr_serving.models import ROLES, default_model_dir
from ppocr_serving.reading.specs import ModelsInUse, models_in_use
from ppocr_serving.settings import load_settings

AUTO = "bf16" if supports_bfloat16() else "f32"
V4, V6 = "ppocr-v4-mobile", "ppocr-v6"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (V6, "openvino", AUTO)),
        ({"PPOCR_PRECISION": "f32"}, (V6, "openvino", "f32")),
        ({"PPOCR_PRECISION": "bf16", "PPOCR_PROFILE": V4}, (V4, "openvino", "bf16")),
        ({"PPOCR_PRECISION": "bf16", "PPOCR_ENGINE": "paddle"}, (V4, "paddle", "bf16")),
        ({"PPOCR_PRECISION": "bf16", "PPOCR_BACKEND": "onednn"}, (V4, "paddle", "f32")),
        ({"PPOCR_BACKEND": "native"}, (V4, "paddle", "f32")),
    ],
)
def test_automatic_choices_are_told_as_decided(variables: dict[str, str], expected: tuple[str, str, str]) -> None:
    settings = load_settings(environ={"PPOCR_MODEL_DIR": str(default_model_dir()), **variables})
    assert models_in_use(settings, ROLES) == ModelsInUse(*expected)
