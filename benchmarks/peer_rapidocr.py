"""rapidocr 3.10 as a peer of `peers.py`; runs in its own environment.

Set explicitly, to do the same work as the others: the models (PP-OCRv4 mobile and the v2.0 classifier, as ONNX,
instead of its PP-OCRv6), the dictionary, the detector's side limit (960, `max`, instead of enlarging to 736), the
engine and its threads. Everything else is its default: thresholds, normalization, padding, batches of six, the number
format that the engine chooses. Files are decoded by rapidocr itself.

The ONNX models are PaddleOCR's own: on the same tensor their outputs differ from those of the Paddle files by less than
1e-5 in float32.
"""

import functools
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.peer_loop import Line, PeerOptions, Reader, serve

_THREADS = {
    "openvino": "EngineConfig.openvino.inference_num_threads",
    "onnxruntime": "EngineConfig.onnxruntime.intra_op_num_threads",
}


def _create(engine: str, options: PeerOptions) -> Reader:
    from rapidocr import EngineType, ModelType, OCRVersion, RapidOCR

    models = _onnx_models()
    params: dict[str, Any] = {
        "Global.log_level": "error",
        _THREADS[engine]: options.threads,
        "Det.limit_side_len": options.side_limit,
        "Det.limit_type": "max",
        "Det.model_path": str(models / "ch_PP-OCRv4_det_infer.onnx"),
        "Cls.model_path": str(models / "ch_ppocr_mobile_v2.0_cls_infer.onnx"),
        "Rec.model_path": str(models / "ch_PP-OCRv4_rec_infer.onnx"),
        "Rec.rec_keys_path": options.dictionary,
    }
    for stage in ("Det", "Cls", "Rec"):
        params[f"{stage}.engine_type"] = EngineType(engine)
        params[f"{stage}.ocr_version"] = OCRVersion.PPOCRV4
        params[f"{stage}.model_type"] = ModelType.MOBILE
    return Reader(read=RapidOCR(params=params), lines=_lines)


def _onnx_models() -> Path:
    # Only located, not imported: only the package's files are needed.
    spec = find_spec("rapidocr_onnxruntime")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("rapidocr_onnxruntime, which carries the PP-OCRv4 models in ONNX, is not installed")
    return Path(spec.origin).parent / "models"


def _lines(result: Any) -> Iterable[Line]:
    texts = getattr(result, "txts", None)  # another type, without this attribute, when nothing is found
    return [] if texts is None else list(zip(texts, result.boxes.tolist(), strict=True))


if __name__ == "__main__":
    name = sys.argv[1]
    serve(functools.partial(_create, name), ["rapidocr", name])
