"""PaddleOCR 2.10's own pipeline as a peer of `peers.py`; runs in its own environment.

Set explicitly: the models' folders, threads, the detector's side limit (960, `max`, its default), and the thresholds of
PaddleOCR's own serving modules (box 0.5, unclip 1.6), which the other peers have by default: with fewer boxes it would
have less to do. Files are decoded by PaddleOCR itself.

`plain` is without oneDNN, PaddleOCR's default. From paddlepaddle 3.2 on this must be requested: oneDNN is on by
default, whatever PaddleOCR's `enable_mkldnn` says.
"""

import functools
import os
import sys
from collections.abc import Iterable
from typing import Any

from benchmarks.peer_loop import Line, PeerOptions, Reader, serve


def _create(kernels: str, options: PeerOptions) -> Reader:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else importing it checks the network for a newer version
    with_onednn = kernels == "onednn"
    from paddle import inference

    create_predictor = inference.create_predictor

    def create_predictor_as_requested(config: Any) -> Any:
        if not with_onednn:
            config.disable_mkldnn()
            # PaddleOCR passes the thread count on only if it enables oneDNN.
            config.set_cpu_math_library_num_threads(options.threads)
        if config.mkldnn_enabled() != with_onednn:
            raise RuntimeError(f"oneDNN is {'off' if with_onednn else 'on'}, contrary to the option")
        return create_predictor(config)

    inference.create_predictor = create_predictor_as_requested

    from paddleocr import PaddleOCR

    reader = PaddleOCR(
        det_model_dir=options.det,
        cls_model_dir=options.cls,
        rec_model_dir=options.rec,
        rec_char_dict_path=options.dictionary,
        ocr_version="PP-OCRv4",
        use_gpu=False,
        enable_mkldnn=with_onednn,
        cpu_threads=options.threads,
        use_angle_cls=True,
        det_limit_side_len=options.side_limit,
        det_limit_type="max",
        det_db_box_thresh=0.5,
        det_db_unclip_ratio=1.6,
        show_log=False,
    )
    return Reader(read=reader.ocr, lines=_lines)


def _lines(result: Any) -> Iterable[Line]:
    (page,) = result
    return [(text, corners) for corners, (text, _) in page or []]  # None when nothing is found


if __name__ == "__main__":
    serve(functools.partial(_create, sys.argv[1]), ["paddleocr", "paddlepaddle"])
