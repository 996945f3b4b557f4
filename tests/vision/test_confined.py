"""Files whose structure does not show what they cost: decoded in processes that are ended if it is too much."""

import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.hostile_files import (
    coded_block,
    empty_png_blocks,
    photo,
    progressive_jpeg,
    saved,
    tiff,
    webp_of_many_tables,
)
from ppocr_serving.errors import ImageDecodeError
from ppocr_serving.vision.helpers import end_idle_processes
from ppocr_serving.vision.pictures import decode_picture
from tests.processes import children

PIXELS = 50_000_000
SIZE = (700, 500)
COMPRESSED = saved(photo(SIZE), "TIFF", compression="tiff_lzw")


@pytest.fixture(autouse=True)
def _no_process_remains() -> Iterator[None]:
    end_idle_processes()
    yield
    end_idle_processes()
    assert not decoders()


def decoders(pid: int | None = None) -> list[int]:
    """Return the processes for pictures that a process, by default this one, has started."""
    return children(pid, b"vision import decoder")


def has_ended(pid: int) -> bool:
    """Wait for a process to end or become a zombie of somebody else."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_pixels_come_back_as_they_are_stored() -> None:
    image = decode_picture(COMPRESSED, PIXELS)
    np.testing.assert_array_equal(image[:, :, ::-1], np.asarray(photo(SIZE)))
    assert image.flags.writeable
    assert image.flags.c_contiguous


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (progressive_jpeg((7000, 7000), 1000), "time than its 49000000"),
        (progressive_jpeg((7000, 7000), 1000, 0xCA), "time than its 49000000"),  # arithmetic codes
        (empty_png_blocks(coded_block(False)), "time than its 64"),
        # libtiff itself refuses more than 100 scans. Of a picture of this size they take twice the time that it gets.
        (tiff((7000, 7000), 7, progressive_jpeg((7000, 7000), 5000)), "time than its 49000000"),
        (tiff((1, 1), 8, zlib.compress(bytes(20_000 * 20_000)), tile=(20_000, 20_000)), "memory than its 1"),
    ],
    ids=["scans", "arithmetic scans", "empty blocks", "scans in a TIFF", "large tile"],
)
def test_what_takes_far_too_much_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(ImageDecodeError, match=f"takes far more {what} pixels should; save it again as a plain PNG"):
        decode_picture(data, PIXELS)


@pytest.mark.parametrize("compression", [1, 8])
def test_a_tiff_file_of_very_many_tiles_is_read(compression: int) -> None:
    count = 150 * 150
    tile = np.arange(256, dtype=np.uint8)
    data = zlib.compress(tile.tobytes()) if compression == 8 else tile.tobytes()
    image = decode_picture(tiff((2400, 2400), compression, data, tile=(16, 16), count=count), PIXELS)
    np.testing.assert_array_equal(image[:, :, 0], np.tile(tile.reshape(16, 16), (150, 150)))


def test_a_jpeg_file_of_more_scans_than_usual_is_read() -> None:
    assert decode_picture(progressive_jpeg((4000, 4000), 30), PIXELS).shape == (4000, 4000, 3)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_animation_shows_its_first_frame(mode: str) -> None:
    first = photo((600, 400), mode)
    others = [first.transpose(turn) for turn in (Image.Transpose.ROTATE_180, Image.Transpose.FLIP_LEFT_RIGHT)] * 3
    moving = saved(first, "WEBP", save_all=True, append_images=others, lossless=True, exact=True)
    still = saved(first, "WEBP", lossless=True, exact=True)
    np.testing.assert_array_equal(decode_picture(moving, PIXELS), decode_picture(still, PIXELS))


def test_tables_for_each_4x4_pixels_are_refused_without_being_made() -> None:
    program = """if True:
        import resource, sys
        from pathlib import Path
        from ppocr_serving.errors import ImageDecodeError
        from ppocr_serving.vision.helpers import end_idle_processes
        from ppocr_serving.vision.pictures import decode_picture
        for path in sys.argv[1:]:
            try:
                decode_picture(Path(path).read_bytes(), 50_000_000)
            except ImageDecodeError as error:
                print(error)
        end_idle_processes()
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    """

    def memory(*files: bytes) -> tuple[int, str]:
        paths = [os.memfd_create("picture") for _ in files]
        for path, data in zip(paths, files, strict=True):
            os.write(path, data)
        names = [f"/proc/{os.getpid()}/fd/{path}" for path in paths]
        result = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True, check=True)
        for path in paths:
            os.close(path)
        *errors, peak = result.stdout.splitlines()
        return int(peak), " ".join(errors)

    ordinary, errors = memory(saved(photo((1024, 1024)), "WEBP", lossless=True))
    assert not errors
    hostile, errors = memory(webp_of_many_tables())
    assert "takes far more memory than its 1048576 pixels should" in errors
    assert hostile < 1.5 * ordinary  # without a limit it is four times as much


def test_one_process_serves_one_picture_after_the_other_and_has_no_files_of_ours() -> None:
    decode_picture(COMPRESSED, PIXELS)
    (process,) = decoders()
    decode_picture(COMPRESSED, PIXELS)
    assert decoders() == [process]
    names = [str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir()]
    assert sorted(name.partition(":")[0] for name in names) == ["/dev/null"] * 3 + ["socket"]


def test_a_process_gets_nothing_of_the_environment_that_may_be_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPOCR_API_KEYS", "alice:a-key-that-is-long-enough")
    monkeypatch.setenv("CLOUD_SECRET", "hidden")
    decode_picture(COMPRESSED, PIXELS)
    (process,) = decoders()
    environment = Path(f"/proc/{process}/environ").read_bytes()
    assert b"OPENBLAS_NUM_THREADS=1" in environment
    assert b"alice" not in environment
    assert b"hidden" not in environment


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_was_killed_is_replaced(number: signal.Signals) -> None:
    decode_picture(COMPRESSED, PIXELS)
    (process,) = decoders()
    os.kill(process, number)
    assert number == signal.SIGTERM or has_ended(process)
    np.testing.assert_array_equal(decode_picture(COMPRESSED, PIXELS)[:, :, ::-1], np.asarray(photo(SIZE)))
    assert (decoders() == [process]) == (number == signal.SIGTERM)  # the owner alone decides about its end


def test_it_ends_with_its_owner() -> None:
    program = (
        "import sys, time; from ppocr_serving.vision.pictures import decode_picture;"
        "decode_picture(sys.stdin.buffer.read(), 50_000_000); print(flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdin is not None
        assert owner.stdout is not None
        owner.stdin.write(COMPRESSED)
        owner.stdin.close()
        owner.stdout.readline()
        (process,) = decoders(owner.pid)
        owner.kill()
    assert has_ended(process)


def test_a_forked_process_has_its_own() -> None:
    decode_picture(COMPRESSED, PIXELS)
    (process,) = decoders()
    child = os.fork()
    if not child:
        os._exit(int(decode_picture(COMPRESSED, PIXELS).shape != (500, 700, 3) or decoders() in ([], [process])))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert decode_picture(COMPRESSED, PIXELS).shape == (500, 700, 3)
    assert decoders() == [process]


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "JPEG"])
def test_want_of_memory_of_this_process_is_not_told_as_damage(file_format: str) -> None:
    program = """if True:
        import resource, sys
        from pathlib import Path
        from ppocr_serving.vision.pictures import decode_picture
        data = sys.stdin.buffer.read()
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + 20_000_000,) * 2)
        try:
            decode_picture(data, 50_000_000)
        except MemoryError:
            print("MemoryError")
    """
    data = saved(photo((4000, 4000)), file_format)
    result = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True)
    assert result.stdout == b"MemoryError\n"
