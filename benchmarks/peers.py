"""Compare time, accuracy and memory with other programs, over folders of pictures.

Peers with the same models (PP-OCRv4 mobile and the v2.0 angle classifier, which is on) and the same side limit of the
detector: rapidocr with OpenVINO and with ONNX Runtime, PaddleOCR's own pipeline without and with oneDNN. Peers with the
models and the defaults that they bring: rapidocr with OpenVINO (PP-OCRv6 small; `limited`: but with that side limit),
faster-paddle (PP-OCRv6 tiny and small). Each is installed once, in pinned versions, into its own virtual environment,
and reads in its own process with the same number of threads. We read with each of our engines and each profile that
--profile names. The time is measured from a file's bytes in memory to the result, decoding included.

Each picture is read by one peer after the other, so that other load on the machine affects all of them equally; a peer
is stopped when it is not its turn. The first reading of a picture is reported separately from the later ones: engines
prepare themselves for each new input size, and a service sees new pictures. With --warm-up, the pictures of other
folders are read beforehand, so that the first reading is that of a service that has been running for a while. Times of
first readings are averages over the pictures; those of later readings are medians over the repetitions of a picture,
averaged over the pictures. Line F1 and word F1, as defined in benchmarks/metrics.py, cover the labelled pictures
(benchmarks/labels.py). Memory is the peak of the process.
"""

import argparse
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import mean, median
from typing import Final, NamedTuple

from benchmarks.labels import LabelledLine, labelled_pictures
from benchmarks.metrics import Score, score
from benchmarks.peer_environments import EnvironmentFailed, environment_python
from benchmarks.peer_loop import PeerOptions
from benchmarks.peer_process import PeerFailed, PeerProcess, Reading
from ppocr_serving.cpu import available_cpus
from ppocr_serving.engines import PACKAGES, Runtime, installed_runtimes
from ppocr_serving.errors import OcrError
from ppocr_serving.models import Role, find_models
from ppocr_serving.settings import load_settings, variable_names
from ppocr_serving.vision.pictures import picture_paths

__all__ = ["Summary", "format_table", "summarize"]

_ROOT = Path(__file__).parents[1]
_SIDE_LIMIT: Final = 960
_NO_PEER: Final = "none"


class _Peer(NamedTuple):
    """Another program.

    Attributes:
        requirements: The list of its packages, in `benchmarks/requirements`.
        module: What runs in its environment.
        arguments: That module's arguments.
        needs_models: It reads with models that it is given.
    """

    requirements: str
    module: str
    arguments: Sequence[str]
    needs_models: bool = True


_PEERS: Final = {
    "rapidocr-openvino": _Peer("rapidocr-openvino", "benchmarks.peer_rapidocr", ("openvino", "given")),
    "rapidocr-onnxruntime": _Peer("rapidocr-onnxruntime", "benchmarks.peer_rapidocr", ("onnxruntime", "given")),
    "rapidocr-v6-small": _Peer("rapidocr-openvino", "benchmarks.peer_rapidocr", ("openvino", "own"), False),
    "rapidocr-v6-small-limited": _Peer("rapidocr-openvino", "benchmarks.peer_rapidocr", ("openvino", "limited"), False),
    "faster-paddle-v6-tiny": _Peer("faster-paddle", "benchmarks.peer_faster_paddle", ("tiny",), False),
    "faster-paddle-v6-small": _Peer("faster-paddle", "benchmarks.peer_faster_paddle", ("small",), False),
    "paddleocr": _Peer("paddleocr", "benchmarks.peer_paddleocr", ("plain",)),
    "paddleocr-onednn": _Peer("paddleocr", "benchmarks.peer_paddleocr", ("onednn",)),
}
_MODELS_FOR_PEERS: Final = "ppocr-v4-mobile"  # whatever our default is: in Paddle's format, as PaddleOCR 2.10 needs


class _Contestant(NamedTuple):
    """Command behind one row of the table.

    Attributes:
        name: The row's name.
        command: A Python, a module and its arguments.
        environment: Environment variables on top of this process's.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


class Summary(NamedTuple):
    """One row of the table.

    Attributes:
        first: Milliseconds per picture, first readings.
        again: Milliseconds per picture, later readings.
        lines: Lines per picture.
        score: Of the labelled pictures; None if there are none.
        peak_memory: In bytes.
    """

    first: float
    again: float
    lines: float
    score: Score | None
    peak_memory: int


def summarize(readings: Sequence[Sequence[Reading]], labels: Sequence[Sequence[LabelledLine] | None]) -> Summary:
    """Summarize the readings of one peer.

    Args:
        readings: For each picture, its readings; at least one picture and two readings.
        labels: For each picture, its labelled lines, or None.
    """
    total = Score()
    for picture, expected in zip(readings, labels, strict=True):
        if expected is not None:
            total = total.plus(score(expected, picture[-1].lines))
    return Summary(
        first=mean(picture[0].milliseconds for picture in readings),
        again=mean(median(reading.milliseconds for reading in picture[1:]) for picture in readings),
        lines=mean(len(picture[-1].lines) for picture in readings),
        score=None if all(expected is None for expected in labels) else total,
        peak_memory=max(reading.peak_memory for picture in readings for reading in picture),
    )


def format_table(summaries: Mapping[str, Summary], ours: Collection[str]) -> str:
    """Format a Markdown table.

    Args:
        summaries: By name, in the order of the rows.
        ours: Names of our engines, the fastest of which has the ratio 1.
    """
    first = min(summaries[name].first for name in ours)
    again = min(summaries[name].again for name in ours)
    rows = [
        (
            "| | first, ms per picture | ratio | again, ms per picture | ratio "
            "| lines per picture | line F1 | word F1 | peak RSS, MB |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, summary in summaries.items():
        total = summary.score
        f1 = "- | -" if total is None else f"{total.lines.f1:.4f} | {total.words.f1:.4f}"
        rows.append(
            f"| {name} | {summary.first:.1f} | {summary.first / first:.2f} | {summary.again:.1f} "
            f"| {summary.again / again:.2f} | {summary.lines:.1f} | {f1} | {summary.peak_memory / 1e6:.0f} |"
        )
    return "\n".join(rows)


def _ours(engine: Runtime, profile: str | None, threads: int) -> _Contestant:
    fixed = {
        "engine": engine,
        "threads": str(threads),
        "det_limit_side_len": str(_SIDE_LIMIT),
        "det_limit_type": "max",
        "use_angle_cls": "true",
    }
    if profile is not None:
        fixed["profile"] = profile
    # Other settings are left to the environment, so that their effect can be measured.
    return _Contestant(
        ", ".join(["ppocr_serving", engine, *([] if profile is None else [profile])]),
        [sys.executable, "-m", "benchmarks.peer_ours", "ppocr-serving", PACKAGES[engine]],
        {variable_names(field)[0]: value for field, value in fixed.items()},
    )


def _theirs(name: str, environments: Path) -> _Contestant:
    peer = _PEERS[name]
    requirements = _ROOT / "benchmarks" / "requirements" / f"{peer.requirements}.txt"
    python = environment_python(requirements, environments)
    return _Contestant(name, [str(python), "-m", peer.module, *peer.arguments], {})


def _peer_options(threads: int, needs_models: bool) -> PeerOptions:
    options = PeerOptions(threads, _SIDE_LIMIT)
    if not needs_models:
        return options
    models = load_settings(init_args={"profile": _MODELS_FOR_PEERS}).models

    def folder(role: Role) -> str:
        return str(find_models(models.directory(role), role, _MODELS_FOR_PEERS)[0].program.parent.absolute())

    dictionary = str((models.directory("rec") / "dictionary.txt").absolute())
    return options._replace(det=folder("det"), cls=folder("cls"), rec=folder("rec"), dictionary=dictionary)


def _measure(
    contestants: Sequence[_Contestant],
    options: PeerOptions,
    pictures: Sequence[Path],
    warm_up: Sequence[Path],
    repetitions: int,
    logs: Path,
) -> tuple[dict[str, list[list[Reading]]], dict[str, dict[str, str]]]:
    """Return readings and versions, both by contestant; for each picture, its first reading and the later ones."""
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                PeerProcess(name, command, options, environment, logs / f"{re.sub(r'[^a-z0-9._]+', '-', name)}.log")
            )
            for name, command, environment in contestants
        ]
        for process in processes:
            for path in warm_up:
                process.read(path)
        readings: dict[str, list[list[Reading]]] = {process.name: [[] for _ in pictures] for process in processes}
        for _ in range(1 + repetitions):
            for index, path in enumerate(pictures):
                for process in processes:
                    readings[process.name][index].append(process.read(path))
        return readings, {process.name: process.versions for process in processes}


def _compare(
    directory: Path, contestants: Sequence[_Contestant], options: PeerOptions, arguments: argparse.Namespace
) -> None:
    pictures = _pictures([directory])
    labelled = {picture.path.absolute(): picture.labels for picture in labelled_pictures(directory)}
    labels = [labelled.get(path) for path in pictures]
    warm_up = _pictures(arguments.warm_up)
    readings, versions = _measure(
        contestants, options, pictures, warm_up, arguments.repetitions, arguments.environments
    )
    print(
        f"{directory}: {len(pictures)} pictures after {len(warm_up)} others, then {arguments.repetitions} repetitions, "
        f"{options.threads} threads, side limit {options.side_limit}\n"
    )
    ours = [name for name in readings if name not in _PEERS]
    print(format_table({name: summarize(values, labels) for name, values in readings.items()}, ours))
    print()
    for name, packages in versions.items():
        print(f"- {name}: {', '.join(f'{package} {version}' for package, version in packages.items())}")
    print(flush=True)


def _pictures(directories: Sequence[Path]) -> list[Path]:
    return [path.absolute() for directory in directories for path in picture_paths(directory)]


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    installed = [runtime.value for runtime in installed_runtimes()]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR", help="pictures")
    parser.add_argument(
        "--peer",
        dest="peers",
        action="append",
        choices=[*_PEERS, _NO_PEER],
        help="peer to compare with, repeatable (default: all)",
    )
    parser.add_argument(
        "--ours",
        action="append",
        choices=installed,
        help="our engine to run, repeatable (default: all installed)",
    )
    parser.add_argument(
        "--profile",
        dest="profiles",
        action="append",
        help="models for our engines, repeatable (default: as the environment says)",
    )
    parser.add_argument(
        "--warm-up",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="other pictures to read first, repeatable (default: none)",
    )
    parser.add_argument(
        "--repetitions", type=int, default=5, help="readings of each picture after the first (default: 5)"
    )
    parser.add_argument(
        "--threads", type=int, default=available_cpus(), help="threads per peer (default: the available CPUs)"
    )
    parser.add_argument(
        "--environments",
        type=Path,
        default=_ROOT / "build" / "peers",
        help="where to install the peers and write their logs (default: build/peers)",
    )
    options = parser.parse_args(arguments)
    options.peers = [name for name in options.peers or _PEERS if name != _NO_PEER]
    options.ours = options.ours or installed
    options.profiles = options.profiles or [None]
    options.environments = options.environments.absolute()
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = _parse(arguments)
    for directory in (*options.directories, *options.warm_up):
        if not picture_paths(directory):
            print(f"peers: {directory} contains no pictures; give a folder of picture files", file=sys.stderr)
            return 1
    if not options.ours:
        print("peers: none of our engines is installed; run scripts/setup.sh --dev", file=sys.stderr)
        return 1
    if options.repetitions < 1 or options.threads < 1:
        print("peers: --repetitions and --threads must be at least 1", file=sys.stderr)
        return 1
    try:
        peer_options = _peer_options(options.threads, any(_PEERS[name].needs_models for name in options.peers))
        contestants = [
            *(
                _ours(Runtime(engine), profile, options.threads)
                for engine in dict.fromkeys(options.ours)
                for profile in dict.fromkeys(options.profiles)
            ),
            *(_theirs(name, options.environments) for name in dict.fromkeys(options.peers)),
        ]
        for directory in options.directories:
            _compare(directory, contestants, peer_options, options)
    except (EnvironmentFailed, OcrError, OSError, PeerFailed, ValueError) as error:
        print(f"peers: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
