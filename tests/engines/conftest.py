"""Reference answers for engines."""

import pytest

from ppocr_serving.engines import Backend, EngineSpec, Float32Array, Precision, Runtime
from ppocr_serving.models import ModelFiles
from tests.engines.inputs import network_input
from tests.services import POOL


@pytest.fixture(scope="session")
def native_answers(v4_models: dict[str, ModelFiles]) -> dict[str, Float32Array]:
    """Answers of Paddle's native float32 kernels to `network_input`, by role."""
    return {
        role: POOL.engine(EngineSpec(model, Backend.NATIVE, Precision.F32, 2, runtime=Runtime.PADDLE))(
            network_input(role)
        )
        for role, model in v4_models.items()
    }
