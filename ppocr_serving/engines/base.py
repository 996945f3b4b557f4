"""Engine protocol and specification."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from ppocr_serving.cpu import supports_bfloat16
from ppocr_serving.models import ModelFiles

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Backend", "Engine", "EngineSpec", "Float32Array", "Precision", "Runtime", "T", "computes_bfloat16"]

# Not evaluated: settings and specifications are also read where there are no arrays.
Float32Array: TypeAlias = "npt.NDArray[np.float32]"

T = TypeVar("T")
"""Type of what is read from an engine's output."""


class Runtime(StrEnum):
    """The library that runs a model."""

    AUTO = "auto"
    OPENVINO = "openvino"
    PADDLE = "paddle"


class Backend(StrEnum):
    """The kernels that Paddle runs a model with, fastest first. Its OpenVINO is a separate copy inside its package."""

    OPENVINO = "openvino"
    ONEDNN = "onednn"
    NATIVE = "native"


class Precision(StrEnum):
    """The number format that a model is computed in. Inputs and outputs are always float32."""

    AUTO = "auto"
    BF16 = "bf16"
    F32 = "f32"


def computes_bfloat16(precision: Precision) -> bool:
    """Return whether OpenVINO is to compute in bfloat16 on this processor."""
    return precision is Precision.BF16 or (precision is Precision.AUTO and supports_bfloat16())


class Engine(Protocol):
    """A loaded model with one input and one output. Calls from several threads are safe: they take turns."""

    def __call__(self, inputs: Float32Array) -> Float32Array:
        """Run the model.

        Args:
            inputs: (N, C, H, W) float32, contiguous.

        Returns:
            The model's first output, float32, owned by the caller.

        Raises:
            EngineError: The model could not be loaded or run.
        """
        ...

    def run(self, inputs: Float32Array, read: Callable[[Float32Array], T]) -> T:
        """Run the model and read its output in place, which saves copying millions of numbers.

        Args:
            inputs: (N, C, H, W) float32, contiguous.
            read: Receives the model's first output, float32, which is valid until it returns.

        Returns:
            What `read` returned.

        Raises:
            EngineError: The model could not be loaded or run.
        """
        ...

    def release_memory(self) -> None:
        """Free the memory that calls on large inputs left allocated, if the runtime can."""
        ...

    def load(self) -> None:
        """Load the model now rather than at the first call; do nothing if it is already loaded.

        Raises:
            EngineError: The model could not be loaded.
        """
        ...


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Identity of an engine; equal specifications share one engine.

    Attributes:
        model: The model's files.
        backend: The preferred kernels; if they cannot load the model, the next of `Backend` are used.
        precision: `AUTO` is bfloat16 if the processor supports it, else float32. Only OpenVINO computes in bfloat16.
        threads: CPU threads of one call, at least 1.
        use_gpu: Run on the first visible CUDA device, ignoring `backend` and `precision`.
        runtime: The library; `AUTO` is OpenVINO if it is installed and supports the other attributes.
        lane: Distinguishes otherwise equal engines, which can then run at the same time.
        kept_shapes: Number of most recently used input shapes that OpenVINO keeps prepared for this engine, at 3 to
            7 MB each. Some fifteen shapes are kept for all engines together; switching to one of those costs a tenth to
            a third of a call, to any other one to several calls. Paddle's own OpenVINO is limited by
            `paddle_openvino.xml` instead.
        fixed_shape: The only input shape, for which OpenVINO compiles the model; None if there are several.
    """

    model: ModelFiles
    backend: Backend = Backend.OPENVINO
    precision: Precision = Precision.AUTO
    threads: int = 1
    use_gpu: bool = False
    runtime: Runtime = Runtime.AUTO
    lane: int = 0
    kept_shapes: int = 16
    fixed_shape: tuple[int, ...] | None = None
