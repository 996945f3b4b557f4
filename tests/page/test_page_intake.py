"""The ways in which files come, and the kinds of files."""

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.drawing import draw_line
from tests.page.files import SAMPLE, File, choose, drop, paste, right_to_left, sample, scan
from tests.page.reading import FAILED, READ, names, shown_text, wait_for
from tests.served.server import Served

DRAWING = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 100" font-family="DejaVu Sans" font-size="40">
<text x="20" y="60">A drawing 2026</text></svg>"""


def written(file_format: str, *texts: str) -> bytes:
    """Return a picture file with a page per text."""
    first, *others = (Image.fromarray(draw_line(text)[:, :, ::-1]).resize((480, 90)) for text in texts)
    file = io.BytesIO()
    several = {"save_all": True, "append_images": others} if others else {}
    first.save(file, file_format, **several)
    return file.getvalue()


def pages_of(page: Page) -> list[str]:
    """Return what each page of the shown file says, having looked at its picture."""
    said = []
    for number in page.locator("#page option").all_inner_texts():
        if page.locator("#page").is_visible():
            page.locator("#page").select_option(label=number)
        expect_picture(page)
        said.append(page.locator("#lines").text_content() or "")  # whether or not it has been painted
    return said


def expect_picture(page: Page) -> None:
    """Wait until the browser has decoded the picture, as large as the page that was read."""
    size = "({ naturalWidth: w, width }) => [w > 0, w === width || width === 0]"
    expect(page.locator("#picture")).to_be_visible()
    expect(page.locator("#picture")).to_have_js_property("complete", True)
    assert page.locator("#picture").evaluate(size) == [True, True]


def test_files_are_chosen_dropped_on_results_and_pasted(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#welcome")).to_be_visible()

    choose(page, sample("one.png"), scan(1, "two.pdf"))
    wait_for(page, READ, READ)
    drop(page, sample("three.png"), target="#lines")
    paste(page, sample())
    paste(page, sample())
    wait_for(page, *[READ] * 5)

    assert names(page)[:3] == ["one.png", "two.pdf", "three.png"]
    assert all(name.startswith("Pasted ") and name.endswith(".png") for name in names(page)[3:])
    assert "".join(shown_text(page)).replace(" ", "") == "".join(SAMPLE).replace(" ", "")


def test_text_is_no_file(page: Page) -> None:
    page.goto("/")
    choose(page, sample())
    wait_for(page, READ)
    transfer = page.evaluate_handle("""() => {
      const transfer = new DataTransfer();
      transfer.setData("text/plain", "no file");
      return transfer;
    }""")
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#lines", event, {"dataTransfer": transfer})
    expect(page.locator("body")).not_to_have_class("dropping")
    page.locator("#find").focus()
    # A spreadsheet copies cells as text and as a picture: in a field, the text is meant.
    page.evaluate("""() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", "no file");
      clipboardData.items.add(new File(["x"], "image.png", { type: "image/png" }));
      const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
      document.getElementById("find").dispatchEvent(event);
    }""")

    assert names(page) == ["sample.png"]


def test_a_dropped_folder_is_read_by_name_without_what_is_no_picture(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "page 10.png").write_bytes(sample().data)
    (folder / "inner" / "page 9.png").write_bytes(sample().data)
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    page.goto("/")

    drop_paths(page, tmp_path / "empty")
    expect(page.locator("#toast")).to_have_text("There is no picture or PDF in this folder.")
    drop_paths(page, folder)
    wait_for(page, READ, READ)

    assert names(page) == ["page 9.png", "page 10.png"]


def drop_paths(page: Page, *paths: Path) -> None:
    """Drop what is on the disk, as the operating system does."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})
    session.detach()


@pytest.mark.parametrize("name", ["receipt.png", "chinese.png", pytest.param("report.pdf", marks=pytest.mark.thorough)])
def test_an_example_is_read(page: Page, name: str) -> None:
    page.goto("/")

    page.locator(f"[data-example='{name}']").click()
    wait_for(page, READ)

    assert names(page) == [name]
    said = pages_of(page)
    assert len(said) == (3 if name == "report.pdf" else 1)
    assert all(said)


def test_files_with_several_pages_show_all(page: Page) -> None:
    texts = ("Page one", "Page two", "Page three")
    files = [
        File("scan.tif", "image/tiff", written("TIFF", *texts)),
        File("film.gif", "image/gif", written("GIF", *texts)),
        scan(3),
    ]
    page.goto("/")

    choose(page, *files)
    wait_for(page, READ, READ, READ)

    for chip in page.locator("#files > li").all():
        chip.locator("button").first.click()
        expect(page.locator("#page option")).to_have_text(["1", "2", "3"])
        for said, words in zip(pages_of(page), (("one", "1"), ("two", "2"), ("three", "3")), strict=True):
            assert any(word in said for word in words), said


def test_what_only_the_browser_decodes_is_converted(page: Page) -> None:
    photo = File("photo.avif", "image/avif", written("AVIF", "A photo 2026"))
    unnamed = File("photo.jpg", "image/jpeg", photo.data)  # telephones do so
    drawing = File("drawing.svg", "image/svg+xml", DRAWING)
    broken = File("broken.svg", "image/svg+xml", b"<svg")
    misnamed = File("misnamed.png", "image/png", written("TIFF", "No PNG 2026"))
    page.goto("/")

    choose(page, photo, unnamed, drawing, broken, misnamed)
    wait_for(page, READ, READ, READ, FAILED, READ)

    assert names(page) == ["photo.avif", "photo.jpg", "drawing.svg", "broken.svg", "misnamed.png"]
    for index, text in ((0, "Aphoto2026"), (1, "Aphoto2026"), (2, "Adrawing2026"), (4, "NoPNG2026")):
        page.locator("#files > li").nth(index).locator("button").first.click()
        (said,) = pages_of(page)
        assert text in said.replace(" ", "")


def test_a_picture_with_no_language_of_the_models_is_no_fault(page: Page) -> None:
    page.goto("/")

    choose(page, right_to_left())

    wait_for(page, READ)


def test_photos_are_taken_where_there_is_touch(page: Page, browser: Browser, server: Served) -> None:
    page.goto("/")
    assert not page.locator("#welcome .touch").is_visible()
    assert page.locator("#welcome .mouse").is_visible()

    context = browser.new_context(base_url=server.url, has_touch=True, is_mobile=True)
    phone = context.new_page()
    phone.goto("/")
    assert not phone.locator("#welcome .mouse").is_visible()
    with phone.expect_file_chooser() as chooser:
        phone.locator("#welcome .touch").tap()
    chooser.value.set_files({"name": "image.jpg", "mimeType": "image/jpeg", "buffer": written("JPEG", "A photo 2026")})
    wait_for(phone, READ)
    context.close()
