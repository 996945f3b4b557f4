"""Files with several pages: what their pages are, as pictures."""

import io
import random
import struct
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.hostile_files import photo, saved
from ppocr_serving.errors import ImageDecodeError, InvalidRequest, LimitExceeded, RequestCancelled
from ppocr_serving.reading.documents import DocumentLimits, open_document
from ppocr_serving.vision.gif_frames import gif_frames
from ppocr_serving.vision.pictures import BgrImage, decode_picture
from ppocr_serving.vision.tiff_pages import page_offsets
from tests.pdf_files import pdf, pdf_of_pictures, show, stream, text_page

LIMITS = DocumentLimits(max_pages=500, max_pixels=5_000_000, max_total_pixels=20_000_000)
RED, GREEN, BLUE = (255, 0, 0), (0, 128, 0), (0, 0, 255)


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (30, 20)) -> Image.Image:
    return Image.new("RGB", size, colour)


def several(file_format: str, *images: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    images[0].save(buffer, file_format, save_all=True, append_images=images[1:], **options)
    return buffer.getvalue()


def colour_at(image: BgrImage, x: int, y: int) -> tuple[int, ...]:
    return tuple(image[y, x, ::-1].tolist())


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF"])
def test_a_picture_has_one_page_and_is_decoded_as_ever(file_format: str) -> None:
    data = saved(photo((60, 40)), file_format)
    with open_document(data, LIMITS) as document:
        assert (document.kind, document.page_count) == ("picture", 1)
        assert document.page_size(1, 200) == (60, 40, None)
        image, dpi = document.render(1, 200)
        assert dpi is None
        assert document.text_lines(1, 200) is None
        np.testing.assert_array_equal(image, decode_picture(data, LIMITS.max_pixels))


def test_a_picture_that_mentions_pdf_is_a_picture() -> None:
    data = saved(photo((60, 40)), "JPEG", comment=b"%PDF-1.7")
    assert b"%PDF-" in data[:1024]
    with open_document(data, LIMITS) as document:
        assert document.kind == "picture"
        assert document.render(1, 200).image.shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\0\0\0\x24ftypheic\0\0\0\0mif1heic", "a HEIC or AVIF picture"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "a HEIC or AVIF picture"),
        (b"PK\x03\x04\x14\0\x06\0[Content_Types].xml", "a ZIP archive or an Office document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64), "an old Office document"),
    ],
)
def test_files_that_have_to_be_converted_are_called_by_their_kind(data: bytes, kind: str) -> None:
    with open_document(data, LIMITS) as document, pytest.raises(ImageDecodeError) as caught:
        document.page_size(1, 200)
    assert str(caught.value) == f"is {kind}, which is not read here; convert it to PDF, PNG or JPEG"


def test_the_error_of_an_unknown_file_names_all_formats() -> None:
    expected = r"^is not a picture or document in a supported format; send one of JPEG, .*, GIF, PDF$"
    with open_document(b"text", LIMITS) as document:
        for look in (document.page_size, document.render):
            with pytest.raises(ImageDecodeError, match=expected):
                look(1, 200)


def test_a_pdf_may_begin_with_something_else() -> None:
    with open_document(b"junk\n" * 9 + text_page(show("Departures", 50, 50)), LIMITS) as document:
        assert document.kind == "pdf"


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_deflate"])
@pytest.mark.parametrize("big", [False, True])
def test_each_directory_of_a_tiff_is_a_page(compression: str, big: bool) -> None:
    images = [plain(RED), photo((50, 70)), plain(BLUE, (10, 10))]
    data = several("TIFF", *images, compression=compression, big_tiff=big)
    with open_document(data, LIMITS) as document:
        assert (document.kind, document.page_count) == ("tiff", 3)
        assert [document.page_size(number, 200)[:2] for number in (1, 2, 3)] == [image.size for image in images]
        for number in (3, 1, 2):
            np.testing.assert_array_equal(
                document.render(number, 200).image[:, :, ::-1], np.asarray(images[number - 1])
            )


def test_smaller_copies_and_masks_in_a_tiff_are_no_pages() -> None:
    buffer = io.BytesIO()
    images = [plain(RED), plain(GREEN, (15, 10)), plain(BLUE)]
    for image, kind in zip(images, (0, 1, 2), strict=True):
        image.encoderinfo = {"tiffinfo": {254: kind}}
    images[0].save(buffer, "TIFF", save_all=True, append_images=images[1:])
    with open_document(buffer.getvalue(), LIMITS) as document:
        assert document.page_count == 2
        assert colour_at(document.render(2, 200).image, 5, 5) == BLUE


def test_a_tiff_whose_directories_form_a_loop_ends() -> None:
    data = bytearray(several("TIFF", plain(RED), plain(BLUE)))
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    (second,) = struct.unpack_from("<I", data, first + 2 + 12 * count)
    (count,) = struct.unpack_from("<H", data, second)
    struct.pack_into("<I", data, second + 2 + 12 * count, first)
    with open_document(bytes(data), LIMITS) as document:
        assert document.page_count == 2


def test_how_a_tiff_is_searched_does_not_depend_on_how_many_tags_its_directories_claim() -> None:
    # A few bytes can be parts of many directories, each of which claims to have thousands of tags.
    tags = [(number, 3, 1, 0) for number in range(1, 101)] + [(254, 3, 1, 1)]

    def directory(at: int, first: int) -> bytes:
        entries = b"".join(struct.pack("<HHIHH", *tag, 0) for tag in tags[first:])
        following = at + 2 + len(entries) + 4
        return struct.pack("<H", len(tags) - first) + entries + struct.pack("<I", following)

    data = bytearray(b"II*\0" + struct.pack("<I", 8))
    for first in (100, 0, 100):
        data += directory(len(data), first)
    assert len(page_offsets(bytes(data))) == 2, "the directory with 100 tags before the one that counts is a page"


def test_a_gif_is_not_searched_for_ever() -> None:
    head = b",\0\0\0\0\x08\0\x08\0\0\x02"
    for count, frames in ((1000, 2), (1_000_000, 1)):
        data = b"GIF89a\x08\0\x08\0\0\0\0" + head + b"\x01\0\0" + head + b"\x01-" * count + b"\0;"
        assert len(gif_frames(data)) == frames


def test_looking_at_the_pages_of_a_tiff_can_be_ended() -> None:
    seen = 0

    def check() -> None:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise RequestCancelled("nobody waits")

    data = several("TIFF", *[plain(RED)] * 9)
    with open_document(data, LIMITS, check=check) as document, pytest.raises(RequestCancelled):
        document.prepare(range(1, 10), 200)
    assert seen == 3


def test_a_damaged_page_of_a_tiff_leaves_the_others() -> None:
    data = bytearray(several("TIFF", plain(RED), plain(BLUE), compression="tiff_deflate"))
    position = data.rindex(b"x\x9c") if b"x\x9c" in data else data.rindex(b"x\xda")
    data[position : position + 8] = b"\xff" * 8
    with open_document(bytes(data), LIMITS) as document:
        results: list[str] = []
        for number in (1, 2):
            try:
                results.append(str(document.render(number, 200).image.shape))
            except ImageDecodeError as error:
                results.append(str(error)[:12])
        assert sorted(results) == ["(20, 30, 3)", "is a damaged"]


def test_frames_of_a_gif_are_composed_as_a_viewer_shows_them() -> None:
    base = Image.new("P", (40, 30), 0)
    base.putpalette([*RED, *GREEN, *BLUE, 255, 255, 255])
    dot = base.copy()
    dot.paste(1, (10, 10, 20, 20))
    other = dot.copy()
    other.paste(2, (25, 5, 35, 15))
    data = several("GIF", base, dot, other, disposal=1)
    with Image.open(io.BytesIO(data)) as reference, open_document(data, LIMITS) as document:
        assert (document.kind, document.page_count) == ("gif", 3)
        assert document.page_size(3, 200) == (40, 30, None)
        for number in (1, 2, 3, 2):
            reference.seek(number - 1)
            expected = np.asarray(reference.convert("RGB"))
            np.testing.assert_array_equal(document.render(number, 200).image[:, :, ::-1], expected)


def gif(*frames: tuple[int, int, int, int, int, int, int | None]) -> bytes:
    """Return a GIF of 8x8 pixels; a frame is left, top, width, height, colour, disposal and transparent colour."""
    palette = bytes([*RED, *GREEN, *BLUE, 255, 255, 255])
    out = [b"GIF89a", struct.pack("<HH", 8, 8), b"\x81\0\0", palette]
    for left, top, width, height, colour, disposal, transparent in frames:
        flags = disposal << 2 | (transparent is not None)
        out += [b"!\xf9\x04", bytes([flags, 1, 0, transparent or 0, 0])]
        out += [b",", struct.pack("<4HB", left, top, width, height, 0)]
        image = Image.new("P", (width, height), colour)
        image.putpalette(palette)
        single = saved(image, "GIF")
        start = single.index(b",") + 10
        out.append(single[start:-1])
    return b"".join([*out, b";"])


def test_disposal_restores_the_background_or_what_was_there() -> None:
    whole = (0, 0, 8, 8, 0, 1, None)
    data = gif(whole, (2, 2, 4, 4, 0, 3, None), (0, 0, 2, 2, 0, 2, None), (6, 6, 2, 2, 0, 1, None))
    with open_document(data, LIMITS) as document:
        assert document.page_count == 4
        last = document.render(4, 200).image
        assert colour_at(last, 4, 4) == colour_at(document.render(1, 200).image, 4, 4)
        assert colour_at(last, 0, 0) == (255, 255, 255)  # was given back to the background, which is transparent


def test_between_the_pages_of_a_gif_no_large_picture_is_in_memory() -> None:
    size = (2500, 2000)
    data = several("GIF", *(plain(colour, size) for colour in (RED, GREEN, BLUE)))
    with open_document(data, LIMITS) as document:
        tracemalloc.start()
        try:
            assert colour_at(document.render(2, 200).image, 7, 7) == GREEN
            assert colour_at(document.render(3, 200).image, 7, 7) == BLUE
            assert tracemalloc.get_traced_memory()[0] < size[0] * size[1]
        finally:
            tracemalloc.stop()


def test_a_frame_of_a_gif_that_is_larger_than_allowed_is_refused() -> None:
    data = bytearray(gif((0, 0, 8, 8, 0, 1, None), (0, 0, 8, 8, 0, 1, None)))
    struct.pack_into("<HH", data, data.rindex(b",") + 5, 60_000, 60_000)
    with open_document(bytes(data), LIMITS) as document:
        assert document.render(1, 200).image.shape == (8, 8, 3)
        with pytest.raises(LimitExceeded, match="3600000000 pixels; the limit is 5000000"):
            document.render(2, 200)


def test_any_damage_to_a_gif_is_an_error_of_ours() -> None:
    good = gif((0, 0, 8, 8, 0, 1, 3), (2, 2, 4, 4, 0, 3, None), (0, 0, 2, 2, 0, 2, 0))
    chance = random.Random(1)
    for _ in range(200):
        data = bytearray(good)
        for _ in range(3):
            data[chance.randrange(6, len(data))] = chance.randrange(256)
        try:
            with open_document(bytes(data), LIMITS) as document:
                for number in range(1, document.page_count + 1):
                    document.render(number, 200)
        except (ImageDecodeError, LimitExceeded):
            pass


def test_pages_of_a_pdf_are_rendered_at_the_resolution_asked_for() -> None:
    data = pdf_of_pictures(
        np.full((200, 300, 3), (0, 0, 255), np.uint8), np.full((100, 100, 3), 255, np.uint8), dpi=100
    )
    with open_document(data, LIMITS) as document:
        assert (document.kind, document.page_count) == ("pdf", 2)
        assert document.page_size(1, 200) == (600, 400, 200.0)
        image, dpi = document.render(1, 100)
        assert dpi == 100
        assert image.shape == (200, 300, 3)
        assert np.abs(image[100, 150].astype(int) - (0, 0, 255)).max() <= 2
        assert image.flags.writeable
        assert document.render(2, 50).image.mean() >= 254


def test_a_pdf_looks_as_another_library_draws_it(tmp_path: Path) -> None:
    shape = "60 100 200 30 re 60 100 20 70 re f"
    data = text_page(shape, box=(0, 0, 400, 200), page="/Rotate 90 /CropBox [20 10 380 190]")
    (tmp_path / "page.pdf").write_bytes(data)
    subprocess.run(
        ["pdftoppm", "-r", "100", "-cropbox", "-png", str(tmp_path / "page.pdf"), str(tmp_path / "page")], check=True
    )
    (file,) = tmp_path.glob("page*.png")
    expected = decode_picture(file.read_bytes(), LIMITS.max_pixels)
    with open_document(data, LIMITS) as document:
        image = document.render(1, 100).image
    assert image.shape == expected.shape == (500, 250, 3)
    ink, expected_ink = (np.argwhere(picture[:, :, 0] < 128) for picture in (image, expected))
    assert np.abs(ink.min(axis=0) - expected_ink.min(axis=0)).max() <= 2
    assert np.abs(ink.max(axis=0) - expected_ink.max(axis=0)).max() <= 2


def test_a_page_that_is_too_large_is_rendered_at_the_largest_resolution_that_fits() -> None:
    with open_document(text_page("", box=(0, 0, 1000, 2000)), LIMITS) as document:
        width, height, dpi = document.page_size(1, 600)
        assert (width, height, dpi) == (1569, 3139, 113.0)
        assert document.render(1, 600).dpi == 113
        assert document.render(1, 600).image.shape == (3139, 1569, 3)
        assert document.page_size(1, 80).dpi == 80


def test_a_page_that_does_not_fit_at_72_dpi_is_refused() -> None:
    what = "has 2300x2300 = 5290000 pixels at 72 dpi; the limit is 5000000"
    with (
        open_document(text_page("", box=(0, 0, 2300, 2300)), LIMITS) as document,
        pytest.raises(LimitExceeded, match=what),
    ):
        document.render(1, 200)


def test_the_pixels_of_the_chosen_pages_are_limited_before_any_is_rendered() -> None:
    with open_document(text_page(*[""] * 20, box=(0, 0, 360, 360)), LIMITS) as document:
        document.prepare([1, 2, *range(5, 20)], 200)
        with pytest.raises(LimitExceeded, match="more than 20000000 pixels on the chosen pages at 300 dpi"):
            document.prepare(range(1, 21), 300)
    with (
        open_document(several("TIFF", *[plain(RED, (2000, 2000))] * 6), LIMITS) as document,
        pytest.raises(LimitExceeded, match=r"more than 20000000 pixels on the chosen pages, which .* fewer pages$"),
    ):
        document.prepare(range(1, 7), 200)


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A PDF with the password `Grüße`."""
    folder = tmp_path_factory.mktemp("protected")
    (folder / "plain.pdf").write_bytes(text_page(show("Secret", 50, 50)))
    subprocess.run(
        ["qpdf", "--encrypt", "Grüße", "owner", "256", "--", str(folder / "plain.pdf"), str(folder / "locked.pdf")],
        check=True,
    )
    return (folder / "locked.pdf").read_bytes()


def test_a_password_opens_a_protected_pdf(protected: bytes) -> None:
    with open_document(protected, LIMITS, password="Grüße") as document:
        lines = document.text_lines(1, 200)
        assert lines is not None
        assert [line.text for line in lines] == ["Secret"]


@pytest.mark.parametrize(
    ("password", "what"), [("", "is protected by a password"), ("wr0ng", "given password does not")]
)
def test_a_missing_or_wrong_password_is_told_and_not_shown(protected: bytes, password: str, what: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^locked.pdf: is a PDF that .*{what}") as caught:
        open_document(protected, LIMITS, password=password, name="locked.pdf")
    assert not isinstance(caught.value, ImageDecodeError)
    assert "wr0ng" not in str(caught.value)


def test_what_is_filled_into_a_form_is_drawn() -> None:
    widget = (
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (filled) /Rect [50 50 350 150] /P 4 0 R "
        "/MK << /BG [0 0 1] >> /DA (/F 40 Tf 0 g) /F 4 >>"
    )
    form = "<< /Fields [6 0 R] /DR << /Font << /F 3 0 R >> >> /NeedAppearances true >>"
    data = pdf(
        [
            f"<< /Type /Catalog /Pages 2 0 R /AcroForm {form} >>",
            "<< /Type /Pages /Count 1 /Kids [4 0 R] >>",
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 200] /Annots [6 0 R] /Contents 5 0 R >>",
            stream(b""),
            widget,
        ]
    )
    with open_document(data, LIMITS) as document:
        image = document.render(1, 72).image
    assert image[100, 200].tolist() != [255, 255, 255]
    assert (image.reshape(-1, 3).max(axis=1) < 100).sum() > 100  # letters


def test_pages_that_do_not_exist_are_no_request() -> None:
    with open_document(text_page(""), LIMITS) as document:
        for number in (0, 2):
            with pytest.raises(IndexError):
                document.render(number, 200)
