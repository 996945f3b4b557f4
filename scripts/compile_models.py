#!/usr/bin/env python3
"""Compiles the models for this machine's processor and writes them beside their files, where OpenVINO finds them.

A service that starts then maps them instead of compiling, which takes several times as long. On a processor with other
instruction sets, with another version of OpenVINO or in another precision they are not used. With --convert, models and
their compiled forms take half the space.
"""

import argparse
import sys

from ppocr_serving.engines.openvino import OpenVinoEngine, convert_model
from ppocr_serving.errors import OcrError
from ppocr_serving.models import ModelFiles
from ppocr_serving.reading.reader import Reader
from ppocr_serving.settings import Settings, load_settings


def main() -> int:
    """Runs the command line.

    Returns:
        0 if all models are compiled, 1 if one could not be.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--convert",
        action="store_true",
        help="rewrite the models in OpenVINO's own format first, and remove the files of the other format",
    )
    arguments = parser.parse_args()
    try:
        settings = load_settings()
        by_model = _engines(settings)
        if arguments.convert:
            for model in by_model:
                convert_model(model)
            by_model = _engines(settings)
        for engine in by_model.values():
            path = engine.save_compiled()
            print(f"compiled: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    except OcrError as error:
        print(f"compile_models: {error}", file=sys.stderr)
        return 1
    if not by_model:
        print("compile_models: the models do not run on OpenVINO by itself; set PPOCR_ENGINE=openvino", file=sys.stderr)
        return 1
    return 0


def _engines(settings: Settings) -> dict[ModelFiles, OpenVinoEngine]:
    """One of the engines that run each model."""
    engines = Reader(settings=settings).engines
    return {engine.model: engine for engine in engines if isinstance(engine, OpenVinoEngine)}


if __name__ == "__main__":
    sys.exit(main())
