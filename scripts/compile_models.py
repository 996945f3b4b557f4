#!/usr/bin/env python3
"""Compile the models for this machine's processor and store the result next to their files, where OpenVINO finds it.

The service then maps the compiled models at startup, which is several times faster than compiling. They are ignored on
a processor with other instruction sets, by another version of OpenVINO and in another precision. With --convert, models
and their compiled forms take a quarter of the space.
"""

import argparse
import sys

from ppocr_serving.engines.openvino import OpenVinoEngine, convert_model
from ppocr_serving.errors import OcrError
from ppocr_serving.models import ModelFiles
from ppocr_serving.models.own_files import keep_dictionary
from ppocr_serving.reading.reader import Reader
from ppocr_serving.settings import Settings, load_settings


def main() -> int:
    """Run the command line.

    Returns:
        0 if all models were compiled, else 1.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--convert",
        nargs="?",
        const="all",
        choices=("all", "onnx"),
        help="first convert the models to OpenVINO's native format with 16-bit weights, and remove the original files; "
        "with `onnx` only those that no other engine can run",
    )
    arguments = parser.parse_args()
    try:
        settings = load_settings()
        by_model = _engines(settings)
        if arguments.convert:
            for model in by_model:
                if arguments.convert == "onnx" and model.program.suffix != ".onnx":
                    continue
                keep_dictionary(model)
                convert_model(model)
            by_model = _engines(settings)
        for engine in by_model.values():
            path = engine.save_compiled()
            print(f"compiled: {path} ({path.stat().st_size / 1e6:.1f} MB)")
    except OcrError as error:
        print(f"compile_models: {error}", file=sys.stderr)
        return 1
    if not by_model:
        print("compile_models: the models need standalone OpenVINO; set PPOCR_ENGINE=openvino", file=sys.stderr)
        return 1
    return 0


def _engines(settings: Settings) -> dict[ModelFiles, OpenVinoEngine]:
    """Return one engine per model."""
    engines = Reader(settings=settings, roles=settings.models.profile.roles).engines
    return {engine.model: engine for engine in engines if isinstance(engine, OpenVinoEngine)}


if __name__ == "__main__":
    sys.exit(main())
