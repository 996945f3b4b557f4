"""Timing of stages across threads."""

import pytest

from ppocr_serving.timing import Stopwatch


def watch_with(**seconds: float) -> Stopwatch:
    watch = Stopwatch()
    watch.seconds.update(seconds)
    return watch


def test_times_of_a_stage_add_up() -> None:
    watch = Stopwatch()
    with watch("crop"):
        pass
    first = watch.seconds["crop"]
    with pytest.raises(KeyError), watch("crop"):  # a stage that fails counts too
        raise KeyError
    assert watch.seconds["crop"] > first > 0


def test_concurrent_stages_count_with_their_mean() -> None:
    watch = watch_with(crop=1.0, rec_engine=0.5)
    watch.include([watch_with(rec_engine=2.0, rec_decode=1.0), watch_with(rec_engine=4.0)])
    assert watch.seconds == {"crop": 1.0, "rec_engine": 3.5, "rec_decode": 0.5}


def test_including_no_times_adds_nothing() -> None:
    watch = watch_with(crop=1.0)
    watch.include([])
    watch.include([Stopwatch(), Stopwatch()])
    assert watch.seconds == {"crop": 1.0}


def test_only_outermost_stages_are_announced() -> None:
    announced: list[str] = []
    watch = Stopwatch(announced.append)
    with watch("rec_engine"), watch("rec_decode"):
        pass
    with watch.for_thread()("crop"):
        pass
    assert announced == ["rec_engine", "crop"]


def test_a_request_that_is_ended_does_not_begin_the_stage() -> None:
    def end(stage: str) -> None:
        raise KeyError(stage)

    watch = Stopwatch(end)
    with pytest.raises(KeyError, match="crop"), watch("crop"):
        pytest.fail("the stage has begun")
    assert watch.seconds == {}
