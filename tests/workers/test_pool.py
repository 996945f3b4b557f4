"""A pool with real processes: who answers a job, and what becomes of it when a process does not."""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from ppocr_serving.errors import DeadlineExceeded, EngineError, NotReady, Overloaded, RequestCancelled
from ppocr_serving.timing import Stopwatch
from ppocr_serving.web.requests import SpooledBody
from ppocr_serving.workers import pool as pool_module
from ppocr_serving.workers import roster as roster_module
from ppocr_serving.workers.memory import resident_mb
from ppocr_serving.workers.messages import Head, Job, Reply
from tests.workers.pools import appears, reply, running, until


def pid_of(finished: Reply) -> int:
    return int(dict(finished.answer.headers)["X-Pid"])


class Marks:
    """Files by which jobs and tests tell each other how far they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def wait_for_release(self, name: bytes | memoryview) -> None:
        """Say in a worker that a job has begun, and wait until the test releases it."""
        text = bytes(name).decode()
        (self.folder / f"{text}-begun").touch()
        appears(self.folder / f"{text}-released")

    async def begun(self, *names: str) -> None:
        await until(lambda: all((self.folder / f"{name}-begun").exists() for name in names))

    def have_begun(self, *names: str) -> list[bool]:
        return [(self.folder / f"{name}-begun").exists() for name in names]

    def release(self, *names: str) -> None:
        for name in names:
            (self.folder / f"{name}-released").touch()

    def answer(self, job: Job, body: memoryview, _watch: Stopwatch) -> Reply:
        """Answer a job when it is released."""
        self.wait_for_release(body)
        return reply(job, bytes(body))


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(tmp_path)


def upper(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
    with watch("decode"):
        return reply(job, bytes(body).upper())


@pytest.mark.parametrize("size", [0, 10, 2**20])
def test_a_worker_answers_a_job(size: int) -> None:
    async def run() -> None:
        async with running(upper) as served:
            finished = await served.answer(b"a" * size)
            assert finished.body == b"A" * size
            assert (finished.answer.status, pid_of(finished)) == (200, served.pids[0])
            assert finished.answer.memory_mb > 0
            assert served.became_ready == 1

    asyncio.run(run())


def test_answers_belong_to_their_jobs() -> None:
    async def run() -> None:
        async with running(upper, processes=2, concurrency=3) as served:
            bodies = [f"job {number}".encode() for number in range(60)]
            answers = await asyncio.gather(*map(served.answer, bodies))
            assert [finished.body for finished in answers] == [body.upper() for body in bodies]

    asyncio.run(run())


def test_a_job_goes_to_the_process_that_has_the_fewest(marks: Marks) -> None:
    async def run() -> None:
        async with running(marks.answer, processes=2, concurrency=2) as served:
            jobs = []
            for name in ("a", "b", "c", "d"):
                jobs.append(served.begin(name.encode()))
                await marks.begun(name)
            marks.release("b", "d")
            (other,) = {pid_of(await jobs[1]), pid_of(await jobs[3])}  # now this process is idle, the other is full
            later = [served.begin(name) for name in (b"e", b"f")]
            await marks.begun("e", "f")
            marks.release("a", "c", "e", "f")
            answered = [pid_of(finished) for finished in await asyncio.gather(*jobs, *later)]
            assert Counter(answered[:4]) == dict.fromkeys(served.pids, 2)
            assert answered[4:] == [other, other]

    asyncio.run(run())


def test_a_full_queue_refuses_at_once(marks: Marks) -> None:
    async def run() -> None:
        async with running(marks.answer, max_waiting=1) as served:
            first = served.begin(b"a")
            await marks.begun("a")
            second = served.begin(b"b")
            await asyncio.sleep(0)
            with pytest.raises(Overloaded, match=r"the queue is full \(1 may wait\)"):
                await served.answer(b"c")
            marks.release("a", "b")
            assert [(await first).body, (await second).body] == [b"a", b"b"]
            assert marks.have_begun("c") == [False]

    asyncio.run(run())


def test_idle_processes_take_jobs_even_if_none_may_wait() -> None:
    async def run() -> None:
        async with running(upper, processes=2, max_waiting=0) as served:
            for _ in range(20):
                answers = await asyncio.gather(served.answer(b"a"), served.answer(b"b"))
                assert [finished.body for finished in answers] == [b"A", b"B"]

    asyncio.run(run())


def test_a_job_waits_for_a_limited_time(marks: Marks) -> None:
    async def run() -> None:
        async with running(marks.answer, queue_timeout=3) as served:
            first = served.begin(b"a")
            await marks.begun("a")
            with pytest.raises(Overloaded, match=r"the request waited 0\.05 seconds without being started"):
                await served.answer(b"b", seconds=0.05)  # its own deadline
            with pytest.raises(Overloaded, match="the request waited 3 seconds without being started"):
                await served.answer(b"c")
            # The worker must have been told before the turn is free, or it would give it to the job nobody waits for.
            await until(lambda: served.open_jobs == 1)
            marks.release("a")
            assert (await first).body == b"a"  # what has begun is not affected
            marks.release("d")
            assert (await served.answer(b"d")).body == b"d"
            assert marks.have_begun("b", "c") == [False, False]

    asyncio.run(run())


def test_jobs_wait_for_the_models_for_a_limited_time(tmp_path: Path) -> None:
    def load() -> None:
        appears(tmp_path / "loaded")

    async def run() -> None:
        async with running(upper, load=load, queue_timeout=0.05, until_ready=False) as served:
            with pytest.raises(NotReady, match="the models are still being loaded"):
                await served.answer(b"a")
            with pytest.raises(NotReady, match="the models are still being loaded"):
                await served.pool.wait_ready()
            assert not served.pool.is_ready
            (tmp_path / "loaded").touch()
            await until(lambda: served.pool.is_ready)
            await served.pool.wait_ready()
            assert served.became_ready == 1

    asyncio.run(run())


def test_a_job_that_waits_for_the_models_comes_before_the_small_picture(tmp_path: Path) -> None:
    order = tmp_path / "order"

    def note(what: str) -> None:
        with order.open("a") as file:
            file.write(f"{what}\n")

    def load() -> None:
        appears(tmp_path / "loaded")

    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        note("answer")
        return upper(job, body, watch)

    async def run() -> None:
        trying = lambda: note("small picture")  # noqa: E731
        async with running(answer, load=load, try_out=trying, until_ready=False) as served:
            waiting = served.begin(b"a")
            await asyncio.sleep(0.05)
            assert not waiting.done()
            (tmp_path / "loaded").touch()
            assert (await waiting).body == b"A"
            await served.pool.wait_ready()

    asyncio.run(run())
    assert order.read_text().splitlines() == ["answer", "small picture"]


def kill_own_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def killing_its_process(first: Path) -> None:
    """End the process of the job that is the first to come here."""
    with contextlib.suppress(FileExistsError):
        first.touch(exist_ok=False)
        kill_own_process()


@pytest.mark.parametrize("processes", [1, 2])
def test_the_job_of_a_killed_process_is_answered_by_another_one(
    processes: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        killing_its_process(tmp_path / "killed")
        return upper(job, body, watch)

    async def run() -> None:
        async with running(answer, processes=processes) as served:
            finished = await served.answer(b"a")
            assert finished.body == b"A"
            assert pid_of(finished) in served.pids[1:]
            await until(lambda: len(served.pids) == processes + 1)
            await until(lambda: served.pool.is_ready)

    asyncio.run(run())
    (message,) = caplog.messages
    assert message.endswith("has died (signal SIGKILL) and is replaced")


def test_a_job_that_kills_two_processes_is_given_up(marks: Marks) -> None:
    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        if bytes(body) == b"deadly":
            marks.wait_for_release(body)
            os.abort()
        return upper(job, body, watch)

    async def run() -> None:
        async with running(answer) as served:
            deadly = served.begin(b"deadly")
            await marks.begun("deadly")
            waiting = served.begin(b"waiting")
            marks.release("deadly")
            with pytest.raises(EngineError, match="processes died 2 times while they computed for the request"):
                await deadly
            assert (await waiting).body == b"WAITING"
            assert len(served.pids) == 3

    asyncio.run(run())


def test_a_job_that_does_not_end_costs_its_process_and_no_other_job(
    marks: Marks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pool_module, "_KILL_SECONDS", 0.2)

    async def run() -> None:
        async with running(marks.answer, concurrency=2) as served:
            stuck, innocent = served.begin(b"stuck", seconds=1), served.begin(b"innocent")
            await marks.begun("stuck", "innocent")
            with pytest.raises(DeadlineExceeded, match="the request was not finished within 1 seconds"):
                await stuck
            marks.release("innocent")
            assert pid_of(await innocent) == served.pids[1]

    asyncio.run(run())
    assert any("id=job-0 does not end: process" in message for message in caplog.messages)


def test_a_job_that_does_not_end_costs_its_process_even_if_its_client_has_left(
    marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_KILL_SECONDS", 0.2)

    async def run() -> None:
        async with running(marks.answer) as served:
            stuck = served.begin(b"stuck", seconds=1)
            await marks.begun("stuck")
            stuck.cancel()
            marks.release("other")
            assert pid_of(await served.answer(b"other")) == served.pids[1]

    asyncio.run(run())


def test_a_job_ends_when_nobody_waits_for_it(tmp_path: Path, marks: Marks) -> None:
    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        if bytes(body) == b"quick":
            return upper(job, body, watch)
        (tmp_path / f"{bytes(body).decode()}-begun").touch()
        try:
            while True:
                with watch("det_engine"):
                    time.sleep(0.002)
        except RequestCancelled:
            (tmp_path / "cancelled").touch()
            raise

    async def run() -> None:
        async with running(answer) as served:
            endless = served.begin(b"endless")
            await marks.begun("endless")
            waiting = served.begin(b"waiting")
            quick = served.begin(b"quick")
            await asyncio.sleep(0.01)
            waiting.cancel()
            endless.cancel()
            assert (await quick).body == b"QUICK"
            assert (tmp_path / "cancelled").exists()
            assert marks.have_begun("waiting") == [False]
            assert len(served.pids) == 1

    asyncio.run(run())


def test_the_body_of_a_job_that_nobody_waits_for_is_not_handed_over(tmp_path: Path) -> None:
    class Body(SpooledBody):
        """A body that cancels another job when it is handed over."""

        other: "asyncio.Task[Reply] | None" = None
        was_asked = False

        def fileno(self) -> int:
            self.was_asked = True
            if self.other is not None:
                self.other.cancel()
            return super().fileno()

    def load() -> None:
        appears(tmp_path / "loaded")

    async def run() -> None:
        async with running(upper, load=load, until_ready=False) as served:
            bodies = [Body(), Body()]
            jobs = [
                asyncio.create_task(served.pool.answer(Job(number, Head(""), "", time.perf_counter(), 60, 60), body))
                for number, body in enumerate(bodies)
            ]
            bodies[0].other = jobs[1]
            await asyncio.sleep(0)
            (tmp_path / "loaded").touch()
            assert (await jobs[0]).body == b""
            assert jobs[1].cancelled()
            assert [body.was_asked for body in bodies] == [True, False]
            bodies[0].close()

    asyncio.run(run())


def test_a_job_that_waits_again_ends_at_its_deadline(marks: Marks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_KILL_SECONDS", 600)

    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        if bytes(body) == b"deadly":
            marks.wait_for_release(body)
            killing_its_process(marks.folder / "killed")
        return marks.answer(job, body, watch)

    async def run() -> None:
        async with running(answer, processes=2, queue_timeout=3) as served:
            deadly = served.begin(b"deadly", seconds=60)
            await marks.begun("deadly")
            other = served.begin(b"other")
            await marks.begun("other")
            await asyncio.sleep(3.1)  # the time in which it must begin is over
            marks.release("deadly")
            with pytest.raises(Overloaded, match="the request waited 3 seconds"):
                await deadly
            marks.release("other")
            assert (await other).body == b"other"

    asyncio.run(run())


_held: list[bytearray] = []


def grow_past(limit: int) -> None:
    """Take memory in a worker until it has more than the limit."""
    _held.append(bytearray(b"x") * (int(limit - resident_mb() + 16) * 2**20))


def test_a_process_that_grows_too_large_is_replaced_and_no_job_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    limit = int(1.3 * resident_mb())

    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        if bytes(body) == b"a10":
            grow_past(limit)
        return upper(job, body, watch)

    async def run() -> None:
        async with running(answer, concurrency=2, max_memory_mb=limit) as served:
            finished = []
            for number in range(30):
                names = [f"a{number}".encode(), f"b{number}".encode()]
                finished += await asyncio.gather(*map(served.answer, names))
                assert [answer.body for answer in finished[-2:]] == [name.upper() for name in names]
            answered = Counter(map(pid_of, finished))
            assert list(answered) == served.pids[: len(answered)]
            assert len(answered) == 2
            assert answered[served.pids[0]] >= 32

    with caplog.at_level(logging.INFO, logger="ppocr_serving"):
        asyncio.run(run())
    (message,) = caplog.messages
    assert "it will finish its requests and be replaced" in message


def test_a_process_that_still_answers_is_replaced_early(marks: Marks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_module, "_EXCLUSIVE_SECONDS", 0.05)
    limit = int(1.3 * resident_mb())

    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        if bytes(body) == b"long":
            return marks.answer(job, body, watch)
        if bytes(body) == b"large":
            grow_past(limit)
        return upper(job, body, watch)

    async def run() -> None:
        async with running(answer, concurrency=2, max_memory_mb=limit) as served:
            long = served.begin(b"long")
            await marks.begun("long")
            for body in [b"large", *[b"a"] * 31]:
                assert pid_of(await served.answer(body)) == served.pids[0]
            assert pid_of(await served.answer(b"a")) == served.pids[1]
            marks.release("long")
            assert pid_of(await long) == served.pids[0]
            await until(lambda: not Path(f"/proc/{served.pids[0]}").exists())
            assert pid_of(await served.answer(b"a")) == served.pids[1]
            assert len(served.pids) == 2
            state = served.pool.state()
            assert (state.started, state.died, state.outgrown) == (2, 0, 1)

    asyncio.run(run())


def test_models_that_cannot_be_loaded_end_the_server() -> None:
    def load() -> None:
        raise EngineError("the model is damaged")

    async def run() -> None:
        async with running(upper, load=load, until_ready=False) as served:
            await until(lambda: served.gave_up)
            assert not served.pool.is_ready

    asyncio.run(run())


def test_a_crash_while_the_models_are_loaded_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    def load() -> None:
        os.write(2, b"bad magic number\n")
        os.abort()

    async def run() -> None:
        async with running(upper, load=load, until_ready=False) as served:
            await until(lambda: served.gave_up)

    asyncio.run(run())
    (message,) = caplog.messages
    assert message.startswith("cannot start: process ")
    assert "died while loading the models (signal SIGABRT); check their files and the free memory" in message
    assert "; it said: bad magic number" in message


def hang() -> None:
    """Do not end, as on a file system that has gone."""
    while True:
        time.sleep(60)


def test_models_whose_loading_hangs_end_the_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(roster_module, "_MAX_LOADING_SECONDS", 0.2)

    async def run() -> None:
        async with running(upper, load=hang, until_ready=False) as served:
            await until(lambda: served.gave_up)

    asyncio.run(run())
    (message,) = caplog.messages
    assert "died while loading the models (loading the models took more than 0.2 seconds)" in message


def test_a_replacement_whose_loading_hangs_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    starts = 0

    def before_start() -> None:
        nonlocal starts
        starts += 1
        # A busy machine may take long for those that do not hang.
        monkeypatch.setattr(roster_module, "_MAX_LOADING_SECONDS", 0.2 if starts == 2 else 300)

    def load() -> None:
        if starts == 2:  # as it was when this process was forked
            hang()

    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        killing_its_process(tmp_path / "killed")
        return upper(job, body, watch)

    async def run() -> None:
        async with running(answer, load=load, before_start=before_start) as served:
            assert pid_of(await served.answer(b"a")) == served.pids[2]
            assert not served.gave_up

    asyncio.run(run())
    died, hung = caplog.messages
    assert "has died (signal SIGKILL) and is replaced" in died
    assert "has died (loading the models took more than 0.2 seconds) and is replaced" in hung


def test_a_process_whose_first_picture_hangs_is_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    starts = 0

    def before_start() -> None:
        nonlocal starts
        starts += 1
        monkeypatch.setattr(roster_module, "_MAX_TRYING_OUT_SECONDS", 0.2 if starts == 1 else 300)

    def try_out() -> None:
        if starts == 1:
            hang()

    async def run() -> None:
        async with running(upper, try_out=try_out, before_start=before_start) as served:
            assert pid_of(await served.answer(b"a")) == served.pids[1]
            assert not served.gave_up

    asyncio.run(run())
    (message,) = caplog.messages
    assert "has died (the first picture took more than 0.2 seconds) and is replaced" in message


def test_a_replacement_that_cannot_load_is_tried_again(tmp_path: Path) -> None:
    def load() -> None:
        if (tmp_path / "killed").exists() and not (tmp_path / "failed").exists():
            (tmp_path / "failed").touch()
            raise EngineError("no memory")

    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        killing_its_process(tmp_path / "killed")
        return upper(job, body, watch)

    async def run() -> None:
        async with running(answer, load=load) as served:
            assert pid_of(await served.answer(b"a")) == served.pids[2]
            assert not served.gave_up

    asyncio.run(run())


def test_a_replacement_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    starts = 0

    def fail_once() -> None:
        nonlocal starts
        starts += 1
        if starts == 2:
            raise BlockingIOError("no process is free")

    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        killing_its_process(tmp_path / "killed")
        return upper(job, body, watch)

    async def run() -> None:
        async with running(answer, before_start=fail_once) as served:
            assert pid_of(await served.answer(b"a")) == served.pids[1]
            assert starts == 3

    asyncio.run(run())


def test_what_a_worker_prints_is_no_part_of_the_log_but_its_last_words_are(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        for _ in range(200):
            os.write(1, b"chatter " * 1000 + b"\n")  # more than a pipe holds
        if bytes(body) == b"deadly":
            os.write(2, b"terminate called\nafter an error\n")
            kill_own_process()
        return upper(job, body, watch)

    async def run() -> None:
        async with running(answer) as served:
            assert (await served.answer(b"a")).body == b"A"
            assert not caplog.messages
            with pytest.raises(EngineError):
                await served.answer(b"deadly")

    asyncio.run(run())
    assert capfd.readouterr() == ("", "")
    assert len(caplog.messages) == 2
    for message in caplog.messages:
        assert message.endswith("chatter terminate called after an error")
        assert len(message) < 2200


def test_a_stopping_pool_finishes_what_has_begun_and_refuses_the_rest(marks: Marks) -> None:
    async def run() -> None:
        async with running(marks.answer) as served:
            begun = served.begin(b"a")
            await marks.begun("a")
            waiting = served.begin(b"b")
            await asyncio.sleep(0.01)
            served.pool.refuse(Overloaded("stopping"))
            with pytest.raises(Overloaded, match="stopping"):
                await waiting
            with pytest.raises(Overloaded, match="stopping"):
                await served.answer(b"c")
            # As above: the worker must have been told before the turn is free.
            await until(lambda: served.open_jobs == 1)
            marks.release("a")
            assert (await begun).body == b"a"
            assert marks.have_begun("b", "c") == [False, False]

    asyncio.run(run())


def test_a_stopping_pool_answers_a_job_that_an_idle_process_has_just_been_given() -> None:
    async def run() -> None:
        async with running(upper) as served:
            (pid,) = served.pids
            os.kill(pid, signal.SIGSTOP)
            given, waiting = served.begin(b"a"), served.begin(b"b")
            await asyncio.sleep(0.01)
            served.pool.refuse(Overloaded("stopping"))
            os.kill(pid, signal.SIGCONT)
            assert (await given).body == b"A"
            with pytest.raises(Overloaded, match="stopping"):
                await waiting

    asyncio.run(run())


def test_a_stopping_pool_refuses_the_job_of_its_last_process_when_that_dies(marks: Marks) -> None:
    async def run() -> None:
        async with running(marks.answer) as served:
            begun = served.begin(b"a")
            await marks.begun("a")
            served.pool.refuse(Overloaded("stopping"))
            os.kill(served.pids[0], signal.SIGKILL)
            with pytest.raises(Overloaded, match="stopping"):
                await begun
            assert len(served.pids) == 1

    asyncio.run(run())


def test_all_jobs_can_be_ended(marks: Marks) -> None:
    async def run() -> None:
        async with running(marks.answer) as served:
            jobs = [served.begin(b"a"), served.begin(b"b")]
            await marks.begun("a")
            served.pool.fail_all(Overloaded("the time is over"))
            for job in jobs:
                with pytest.raises(Overloaded, match="the time is over"):
                    await job

    asyncio.run(run())


def test_a_long_job_pauses_for_a_short_one(marks: Marks) -> None:
    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        if bytes(body) == b"short":
            return upper(job, body, watch)
        (marks.folder / "long-begun").touch()
        while not (marks.folder / "long-released").exists():
            with watch("rec_engine"):
                time.sleep(0.002)
        return reply(job)

    async def run() -> None:
        async with running(answer, concurrency=1) as served:
            long = served.begin(b"long")
            await marks.begun("long")
            assert (await served.answer(b"short")).body == b"SHORT"
            assert not long.done()
            marks.release("long")
            await long

    asyncio.run(run())


def test_the_number_of_begun_jobs_is_bounded(marks: Marks) -> None:
    def answer(job: Job, body: memoryview, watch: Stopwatch) -> Reply:
        name = bytes(body).decode()
        (marks.folder / f"{name}-begun").touch()
        while not (marks.folder / f"{name}-released").exists():
            with watch("rec_engine"):
                time.sleep(0.002)
        return reply(job, bytes(body))

    async def run() -> None:
        async with running(answer, paused=1) as served:
            names = ["a", "b", "c"]
            jobs = [served.begin(name.encode()) for name in names]
            await marks.begun("a", "b")  # the first one pauses for the second one
            await asyncio.sleep(2)  # longer than a request computes before it gives way
            assert marks.have_begun(*names) == [True, True, False]
            marks.release(*names)
            assert [(await job).body.decode() for job in jobs] == names

    asyncio.run(run())


def test_orphans_are_reaped_and_workers_are_not() -> None:
    def leave_a_child() -> int:
        pid = os.fork()
        if not pid:
            os._exit(0)
        return pid

    async def run() -> None:
        async with running(upper) as served:
            orphan = leave_a_child()

            def is_gone() -> bool:
                served.pool.reap_orphans()
                return not Path(f"/proc/{orphan}").exists()

            await until(is_gone)
            assert (await served.answer(b"a")).body == b"A"
            assert len(served.pids) == 1

    asyncio.run(run())
