"""rapidocr 3.10 as a peer of `peers.py`; runs in its own environment.

With the models `given`, set explicitly to do the same work as the others: the models (PP-OCRv4 mobile and the v2.0
classifier, as ONNX), the dictionary, and the detector's side limit (960, `max`). With its `own`, all of this is
rapidocr's default: the PP-OCRv6 small models of its package, and pictures enlarged to a shorter side of 736. With
`limited`, the models are its own and the side limit is that of the others.

Always set: the engine and its threads. Everything else is its default: thresholds, normalization, padding, batches of
six, the number format that the engine chooses. Files are decoded by rapidocr itself.

The ONNX models of PP-OCRv4 are PaddleOCR's own: on the same tensor their outputs differ from those of the Paddle files
by less than 1e-5 in float32.
"""

import functools
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.peer_loop import Line, PeerOptions, Reader, serve

_STAGES = ("Det", "Cls", "Rec")
_THREADS = {
    "openvino": "EngineConfig.openvino.inference_num_threads",
    "onnxruntime": "EngineConfig.onnxruntime.intra_op_num_threads",
}


def _create(engine: str, models: str, options: PeerOptions) -> Reader:
    from rapidocr import EngineType, RapidOCR

    params: dict[str, Any] = {"Global.log_level": "error", _THREADS[engine]: options.threads}
    for stage in _STAGES:
        params[f"{stage}.engine_type"] = EngineType(engine)
    if models in ("given", "limited"):
        params.update({"Det.limit_side_len": options.side_limit, "Det.limit_type": "max"})
    if models == "given":
        params.update(_given_models(options))
    return Reader(read=RapidOCR(params=params), lines=_lines)


def _given_models(options: PeerOptions) -> dict[str, Any]:
    from rapidocr import ModelType, OCRVersion

    folder = _onnx_models()
    params: dict[str, Any] = {
        "Det.model_path": str(folder / "ch_PP-OCRv4_det_infer.onnx"),
        "Cls.model_path": str(folder / "ch_ppocr_mobile_v2.0_cls_infer.onnx"),
        "Rec.model_path": str(folder / "ch_PP-OCRv4_rec_infer.onnx"),
        "Rec.rec_keys_path": options.dictionary,
    }
    for stage in _STAGES:
        params[f"{stage}.ocr_version"] = OCRVersion.PPOCRV4
        params[f"{stage}.model_type"] = ModelType.MOBILE
    return params


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
    engine, models = sys.argv[1:-1]
    serve(functools.partial(_create, engine, models), ["rapidocr", engine])
