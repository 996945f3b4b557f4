#!/usr/bin/env python3
"""Fetch the model files of a profile into the model directory, unless they are already there."""

import argparse
import sys
from pathlib import Path

try:
    from ppocr_serving.errors import OcrError
    from ppocr_serving.models import load_profile, profile_names
    from ppocr_serving.models.fetch import Progress, fetch_profile
    from ppocr_serving.settings import load_settings
except ModuleNotFoundError as error:
    sys.exit(
        f"fetch_models: {error.name} is not installed for {sys.executable}; run scripts/setup.sh, then this file "
        "with .venv/bin/python"
    )


def main() -> int:
    """Run the command line.

    Returns:
        0 if the files are there, 1 if they could not be fetched (and nothing was changed), 130 if interrupted.
    """
    try:
        settings = load_settings().models
    except OcrError as error:
        print(f"fetch_models: {error}", file=sys.stderr)
        return 1
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--profile",
        help=f"{', '.join(profile_names())}, or the path to a .toml file (PPOCR_PROFILE; default "
        f"{settings.profile.name})",
    )
    parser.add_argument(
        "--dest",
        type=Path,
        default=settings.model_dir,
        help="model directory; the profile gets a directory in it (PPOCR_MODEL_DIR; default %(default)s)",
    )
    parser.add_argument(
        "--from",
        dest="sources",
        metavar="URL-or-file",
        action="append",
        default=[],
        help="wheel, tar or zip to take the files from instead of the profile's sources; may be repeated",
    )
    arguments = parser.parse_args()
    try:
        profile = settings.profile if arguments.profile is None else load_profile(arguments.profile)
        fetched = fetch_profile(profile, arguments.dest, arguments.sources, Progress(sys.stderr))
    except OcrError as error:
        print(f"fetch_models: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fetch_models: interrupted, nothing was changed", file=sys.stderr)
        return 130
    state = "fetched" if fetched else "already there"
    print(f"models: {profile.name} {state} in {arguments.dest / profile.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
