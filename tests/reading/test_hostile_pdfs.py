"""Hostile PDF files: each ends in one line, quickly, and takes nothing else along."""

import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.processes import descendants
from ppocr_serving.errors import ImageDecodeError, InvalidRequest, LimitExceeded, OcrError, RequestCancelled
from ppocr_serving.reading.documents import DocumentLimits, open_document
from ppocr_serving.reading.page_numbers import chosen_pages
from ppocr_serving.vision.helpers import end_idle_processes
from ppocr_serving.vision.pdf import PdfFile
from tests.pdf_files import pdf, show, text_page
from tests.processes import children
from tests.reading.hostile_pdfs import (
    deep_tree,
    endless_tree,
    heavy_content,
    huge_picture,
    many_pages,
    nested_forms,
    page_of_size,
)

LIMITS = DocumentLimits(max_pages=500, max_pixels=50_000_000, max_total_pixels=2_000_000_000)
GOOD = text_page(show("One", 50, 50), show("Two", 50, 50))


@pytest.fixture(autouse=True)
def _no_process_remains() -> Iterator[None]:
    end_idle_processes()
    yield
    end_idle_processes()
    assert not helpers()


def helpers(pid: int | None = None) -> list[int]:
    """Return the processes that a process, by default this one, has started to open PDF files."""
    return children(pid, b"pdf_process")


def settled(pid: int, count: int) -> list[int]:
    """Return the descendants of a process once there are so many: they take a moment to end."""
    end = time.monotonic() + 60
    while len(found := [child for child, depth in descendants(pid) if depth]) != count and time.monotonic() < end:
        time.sleep(0.01)
    return found


def outcomes(data: bytes) -> list[str]:
    """Return, for each page, its shape or its error; or that of the file."""
    found = []
    try:
        with open_document(data, LIMITS) as document:
            numbers = chosen_pages(None, document.page_count, LIMITS.max_pages)
            document.prepare(numbers, 100)
            for number in numbers:
                try:
                    found.append(str(document.render(number, 100).image.shape))
                except OcrError as error:
                    found.append(str(error))
    except OcrError as error:
        found.append(str(error))
    assert not any("\n" in text for text in found)
    return found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (deep_tree(100_000), ["is damaged; "]),
        (endless_tree(), ["is damaged; "] * 3),
        (many_pages(100_000), ["has 100000 pages; the limit is 500 per call, choose fewer with pages"]),
        (page_of_size(0, 0, 1e5, 1e5), ["has 100000x100000 = 10000000000 pixels at 72 dpi; the limit is 50000000"]),
        (heavy_content(100), ["is damaged, or takes more than 512 MiB of memory; ", "(278, 556, 3)"]),
        (nested_forms(30, 10), ["is damaged, or takes more than 512 MiB of memory; "]),
        (
            pdf(["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 0 /Kids [] >>"]),
            ["is a PDF without pages"],
        ),
        (b"%PDF-1.7\nnothing", ["is a damaged or truncated PDF; "]),
        (GOOD[:300], ["is a damaged or truncated PDF; "]),
        (b"%PDF-" + bytes(10_000_000), ["is a damaged or truncated PDF; "]),
        (b"%PDF-1.7\n" + b"<<" * 5_000_000, ["is a damaged or truncated PDF; "]),
        (b"%PDF-1.7\n" + b"1 0 obj\n" * 1_000_000, ["is a damaged or truncated PDF; "]),
    ],
    ids=[
        *("deep tree", "endless tree", "pages", "size", "content", "forms", "no page", "no object", "truncated"),
        *("zeros", "nesting", "objects"),
    ],
)
def test_a_hostile_file_is_a_line(data: bytes, expected: list[str]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = outcomes(data)
    assert len(found) == len(expected)
    for text, start in zip(found, expected, strict=True):
        assert text.startswith(start)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200_000  # kB: what a page takes is not taken here


def test_a_large_picture_in_a_small_file_is_drawn_or_refused() -> None:
    (found,) = outcomes(huge_picture(6_000))
    assert found == "(139, 139, 3)" or found.startswith("is damaged, or takes more")


@pytest.mark.parametrize("at", range(0, len(GOOD), 97))
def test_a_file_that_is_cut_off_is_an_error_or_has_its_pages(at: int) -> None:
    for text in outcomes(b"%PDF-1.7\n" + GOOD[at:]) + outcomes(GOOD[: at + 9]):
        assert text.startswith(("(278, 556, 3)", "is a damaged", "is damaged", "is a PDF without pages"))


def test_any_damage_is_an_error_of_ours() -> None:
    chance = random.Random(1)
    for _ in range(30):
        data = bytearray(GOOD)
        for _ in range(8):
            data[chance.randrange(8, len(data))] = chance.randrange(256)
        try:
            with open_document(bytes(data), LIMITS) as document:
                for number in range(1, min(document.page_count, 3) + 1):
                    try:
                        document.render(number, 100)
                        document.text_lines(number, 100)
                    except (ImageDecodeError, LimitExceeded):
                        pass
        except (InvalidRequest, LimitExceeded):
            pass


def test_a_page_that_takes_too_long_is_ended_alone() -> None:
    with PdfFile(heavy_content(20), page_seconds=0.3) as file:
        with pytest.raises(LimitExceeded, match=r"^takes more than 0\.3 seconds of a processor; leave the page out"):
            file.render(1, 400, 200)
        assert file.render(2, 400, 200).min() < 100


def test_who_waits_for_a_page_can_leave_and_nothing_goes_on() -> None:
    drawing = False
    processes: list[int] = []

    def check() -> None:
        if drawing:
            (helper,) = helpers()
            processes.extend(settled(helper, 2))
            raise RequestCancelled("nobody waits")

    with PdfFile(heavy_content(20), check=check, page_seconds=600) as file:
        drawing = True
        with pytest.raises(RequestCancelled):
            file.render(1, 400, 200)
        assert len(processes) == 2  # of the file, and of the page
        assert not helpers()
        end = time.monotonic() + 60
        while time.monotonic() < end and any(map(is_alive, processes)):
            time.sleep(0.02)
        assert not any(map(is_alive, processes))
        drawing = False
        assert file.render(2, 400, 200).min() < 100  # opened once more


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_one_process_serves_one_file_after_the_other_and_keeps_nothing_of_them() -> None:
    for _ in range(3):
        assert outcomes(GOOD) == ["(278, 556, 3)"] * 2
        (helper,) = helpers()
        assert not settled(helper, 0)
        names = [str(link.readlink()) for link in Path(f"/proc/{helper}/fd").iterdir()]
        assert sorted(name.partition(":")[0] for name in names) == ["/dev/null"] * 3 + ["socket"]
    assert helpers() == [helper]


def test_open_files_do_not_disturb_each_other() -> None:
    with open_document(GOOD, LIMITS) as first, open_document(text_page(show("Other", 50, 50)), LIMITS) as second:
        assert len(helpers()) == 2
        for document, text in ((first, "One"), (second, "Other"), (first, "One")):
            lines = document.text_lines(1, 100)
            assert lines is not None
            assert lines[0].text == text


def test_a_process_that_was_killed_ends_its_file_alone() -> None:
    with open_document(GOOD, LIMITS) as document:
        document.render(1, 100)
        (helper,) = helpers()
        for process in settled(helper, 1):
            os.kill(process, 9)
        with pytest.raises(MemoryError):
            document.render(2, 100)
        assert document.render(2, 100).image.shape == (278, 556, 3)
    assert outcomes(GOOD) == ["(278, 556, 3)"] * 2


def test_a_file_whose_process_was_killed_in_between_leaves_no_answer_to_others() -> None:
    with open_document(GOOD, LIMITS) as document:
        document.render(1, 100)
        (helper,) = helpers()
        (process,) = settled(helper, 1)
        os.kill(process, 9)
    assert outcomes(GOOD) == ["(278, 556, 3)"] * 2


def test_processes_end_with_their_owner() -> None:
    program = """if True:
        import sys, time
        from ppocr_serving.vision.pdf import PdfFile
        with PdfFile(sys.stdin.buffer.read()) as file:
            file.render(1, 400, 200)
            print(flush=True)
            time.sleep(600)
    """
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdin is not None
        assert owner.stdout is not None
        owner.stdin.write(GOOD)
        owner.stdin.close()
        owner.stdout.readline()
        (helper,) = helpers(owner.pid)
        processes = [helper, *settled(helper, 1)]
        owner.kill()
    end = time.monotonic() + 60
    while time.monotonic() < end and any(map(is_alive, processes)):
        time.sleep(0.02)
    assert not any(map(is_alive, processes))


def test_no_process_and_no_library_of_pdfs_is_needed_for_a_picture() -> None:
    program = """if True:
        import sys
        from pathlib import Path
        from ppocr_serving.reading.documents import DocumentLimits, open_document
        for path in sys.argv[1:]:
            with open_document(Path(path).read_bytes(), DocumentLimits(500, 10**8, 10**9)) as document:
                print(document.render(1, 200).image.shape)
        print([name for name in sys.modules if "pdfium" in name])
        print(Path("/proc/self/task").joinpath(str(__import__("os").getpid()), "children").read_text())
    """
    result = subprocess.run(
        [sys.executable, "-c", program, "docs/example.png"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert result.stdout.splitlines()[1:] == ["[]", ""]
