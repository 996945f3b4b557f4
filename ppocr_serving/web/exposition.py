"""What `GET /metrics` shows, in the text format of Prometheus.

Imports prometheus-client, which takes 12 ms and 2 MB, so the server imports this at the first such request.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from ppocr_serving import __version__
from ppocr_serving.reading.specs import ModelsInUse
from ppocr_serving.web.metrics import Histogram, Metrics, Work
from ppocr_serving.web.responses import Response
from ppocr_serving.workers.members import PoolState
from ppocr_serving.workers.memory import resident_bytes

__all__ = ["exposition"]

_WORK: tuple[tuple[str, str, Callable[[Work], int]], ...] = (
    ("ppocr_pictures", "Pictures in requests.", lambda done: done.pictures),
    ("ppocr_pages", "Pages that were read: pictures, and pages of documents.", lambda done: done.pages),
    ("ppocr_pixels", "Pixels of pictures in requests.", lambda done: done.pixels),
    ("ppocr_lines", "Lines, or other items, in answers.", lambda done: done.lines),
    ("ppocr_lines_reread", "Lines that the second recogniser has read.", lambda done: done.reread),
)


def exposition(metrics: Metrics, state: PoolState, models: Collection[ModelsInUse]) -> Response:
    """Show all metrics.

    Args:
        metrics: What has been counted.
        state: What the pool does now.
        models: What the server was started with.
    """
    shown = _Shown((*_requests(metrics), *_work(metrics.work), *_state(state), _info(models)))
    return Response(200, (("Content-Type", CONTENT_TYPE_PLAIN_0_0_4),), generate_latest(shown))


class _Shown:
    """Metrics in the form in which prometheus-client wants them.

    Args:
        metrics: The metrics.
    """

    def __init__(self, metrics: Collection[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _requests(metrics: Metrics) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "ppocr_requests",
        "Requests that have been answered, except those to /, /healthz, /readyz, /version, /openapi.json and /metrics.",
        labels=("door", "module", "status", "key"),
    )
    for (door, module, status, key), count in metrics.requests.items():
        requests.add_metric((door, module, str(status), key), count)
    yield requests
    refused = CounterMetricFamily("ppocr_refused", "Requests that were answered with an error.", labels=("reason",))
    for reason, count in metrics.refused.items():
        refused.add_metric((reason,), count)
    yield refused
    yield _histograms(
        "ppocr_request_seconds",
        "From the arrival of a request's head to its answer, waiting included.",
        "door",
        metrics.request_seconds,
    )
    yield _histograms("ppocr_stage_seconds", "Each stage of reading, once per request.", "stage", metrics.stage_seconds)
    waited = HistogramMetricFamily("ppocr_queue_wait_seconds", "How long requests have waited for their first turn.")
    waited.add_metric((), metrics.queue_seconds.buckets(), metrics.queue_seconds.total)
    yield waited


def _histograms(name: str, text: str, label: str, histograms: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=(label,))
    for value, histogram in histograms.items():
        family.add_metric((value,), histogram.buckets(), histogram.total)
    return family


def _work(work: Mapping[str, Work]) -> Iterator[Metric]:
    for name, text, count in _WORK:
        family = CounterMetricFamily(name, text, labels=("key",))
        for key, done in work.items():
            family.add_metric((key,), count(done))
        yield family


def _state(state: PoolState) -> Iterator[Metric]:
    yield GaugeMetricFamily("ppocr_ready", "1 while a process has loaded its models.", value=state.is_ready)
    yield GaugeMetricFamily("ppocr_queue_length", "Requests that wait for their first turn.", value=state.waiting)
    yield GaugeMetricFamily("ppocr_running", "Requests that compute, or are paused.", value=state.running)
    yield GaugeMetricFamily("ppocr_workers", "Processes that read pictures.", value=len(state.pids))
    yield CounterMetricFamily("ppocr_workers_started", "Processes that have been started.", value=state.started)
    yield CounterMetricFamily("ppocr_workers_died", "Processes that have ended unexpectedly.", value=state.died)
    yield CounterMetricFamily(
        "ppocr_workers_outgrown", "Processes that were replaced because of their memory.", value=state.outgrown
    )
    memory = GaugeMetricFamily(
        "ppocr_memory_bytes", "Resident memory, pages that processes share included.", labels=("process",)
    )
    # By number rather than by process id, of which there would be new ones for ever.
    workers = {f"worker-{number}": pid for number, pid in enumerate(state.pids, 1)}
    for name, pid in {"server": os.getpid(), **workers}.items():
        with suppress(OSError):  # it has just ended
            memory.add_metric((name,), resident_bytes(pid))
    yield memory


def _info(models: Collection[ModelsInUse]) -> Metric:
    info = InfoMetricFamily("ppocr", "What runs.", labels=("profile", "engine", "precision"))
    for used in dict.fromkeys(models):
        info.add_metric(used, {"version": __version__})
    return info
