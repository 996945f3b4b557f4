"""The answers of `/v1/read`, in a worker process."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, NamedTuple

from ppocr_serving.errors import ImageDecodeError, InvalidRequest, OcrError
from ppocr_serving.outputs import Item, Origin, jsonl
from ppocr_serving.outputs.formats import require_pages
from ppocr_serving.outputs.origins import origin_of
from ppocr_serving.reading.documents import DocumentLimits
from ppocr_serving.reading.reader import Reader
from ppocr_serving.reading.shelf import Shelf
from ppocr_serving.results import Document, Page
from ppocr_serving.vision.pipeline import require_lines
from ppocr_serving.web.call import Call
from ppocr_serving.web.doors import READ
from ppocr_serving.web.media_types import URLENCODED, media_type_of
from ppocr_serving.web.responses import Response
from ppocr_serving.web.sinks import Gathering
from ppocr_serving.web.v1.choices import Choices, choose
from ppocr_serving.web.v1.fetching import with_fetched_files
from ppocr_serving.web.v1.files import File
from ppocr_serving.web.v1.page_images import MAX_GATHERED_BYTES, MEDIA_TYPE, PageImages
from ppocr_serving.web.v1.parcels import Sent, open_parcel
from ppocr_serving.web.v1.places import CLIENTS_OWN, at_file, placed
from ppocr_serving.web.v1.writing import answer, answer_headers
from ppocr_serving.workers.messages import Head

__all__ = ["read"]

_UNBUFFERED: Final = ("X-Accel-Buffering", "no")
"""Tells nginx to pass on each page as soon as it comes."""

_EXAMPLE: Final = "send one as curl --data-binary @picture.png or curl -F file=@picture.png does"


def read(call: Call) -> Response:
    """Answer a request to read files.

    Raises:
        OcrError: It cannot be answered.
    """
    reader = call.reader(READ.module)
    parcel = open_parcel(call.head, call.body, call.settings.max_images)
    choices = choose(parcel, call.head.accept, reader.settings.models.profile.languages)
    if not parcel.files:
        raise InvalidRequest(f"the request has no file; {_EXAMPLE}")
    parcel = with_fetched_files(parcel, call)
    call.record.pictures = len(parcel.files)
    limits = DocumentLimits.of(reader.settings)._replace(max_total_pixels=call.settings.max_request_pixels)
    shelf = Shelf(limits, choices.options.password or "", call.watch.check)
    with _hinting_at_curl(call.head), shelf:
        job = _Job(call, reader, choices, shelf)
        faults = _check(parcel.files, job)
        if choices.format.is_one_page and not faults:
            _require_one_page(parcel.files, job)
        origin = origin_of(reader, choices.options)
        if choices.format.name == "jsonl":
            return _stream(parcel.files, faults, origin, job)
        items = [_item(index, sent, faults.get(index), origin, job) for index, sent in enumerate(parcel.files)]
        return answer(items, choices.format, call, choices.page_images)


@contextmanager
def _hinting_at_curl(head: Head) -> Iterator[None]:
    """Say of files that cannot be read what has probably happened to them, if curl was not told their type."""
    try:
        yield
    except ImageDecodeError as error:
        if media_type_of(head.content_type) != URLENCODED:
            raise
        hinted = ImageDecodeError(f"{error}; curl -d changes a file, --data-binary sends it as it is")
        hinted.details = error.details
        raise hinted from error


class _Job(NamedTuple):
    call: Call
    reader: Reader
    choices: Choices
    shelf: Shelf

    @property
    def dpi(self) -> int:
        return self.choices.options.dpi or self.reader.settings.reading.pdf_dpi


def _check(files: Sequence[Sent], job: _Job) -> Mapping[int, OcrError]:
    """Look at the heads of all pictures before the first one is read.

    Returns:
        What is wrong, by the file's position; empty unless the others count then.
    """
    faults: dict[int, OcrError] = {}
    for index, sent in enumerate(files):
        job.call.next_page()
        try:
            with job.call.watch("decode"):
                job.shelf.check_picture(sent.data, job.dpi)
        except CLIENTS_OWN as error:
            if not job.choices.partial:
                raise placed(error, index, sent.name) from error
            faults[index] = error
    return faults


def _require_one_page(files: Sequence[Sent], job: _Job) -> None:
    """Refuse what has no place in an answer of one page before anything is read."""
    form = job.choices.format
    if len(files) > 1:
        raise InvalidRequest(
            f"the format {form.name} shows one page, and there are {len(files)} files; send one of them"
        )
    with at_file(0, files[0].name), job.call.watch("decode"):
        require_pages(form, len(File(files[0].data, job.shelf, job.dpi).numbers(job.choices.options)))


def _item(index: int, sent: Sent, fault: OcrError | None, origin: Origin, job: _Job) -> Item:
    if fault is not None:
        return Item(Document((), sent.name, fault), origin)
    file = File(sent.data, job.shelf, job.dpi)
    watch = job.call.watch
    before = dict(watch.seconds)
    pages: list[Page] = []
    failure: OcrError | None = None
    try:
        pages.extend(_pages(index, sent, file, job))
    except CLIENTS_OWN as error:
        if not job.choices.partial:
            raise placed(error, index, sent.name) from error
        failure = error
    times = {stage: seconds - before.get(stage, 0.0) for stage, seconds in watch.seconds.items()}
    return Item(Document(tuple(pages), sent.name, failure), origin, times, file)


def _stream(files: Sequence[Sent], faults: Mapping[int, OcrError], origin: Origin, job: _Job) -> Response:
    """Answer with a record per page, as soon as it is read."""
    pages = errors = 0
    images = _page_images(job)
    headers = answer_headers([Item(Document(()), origin)], job.choices.format)
    sink = job.call.stream(HTTPStatus.OK, (*headers, _UNBUFFERED))
    for index, sent in enumerate(files):
        failure = faults.get(index)
        if failure is None:
            try:
                for page in _pages(index, sent, File(sent.data, job.shelf, job.dpi), job, images):
                    pages += page.error is None
                    errors += page.error is not None
                    sink.send(_page_record(index, sent, page, job, images))
            except CLIENTS_OWN as error:
                if not job.choices.partial:
                    raise placed(error, index, sent.name) from error
                failure = error
        if failure is not None:
            sink.send(jsonl.error_record(sent.name, index, failure))
            errors += 1
    return sink.end(jsonl.end_record(len(files), pages, errors, job.call.watch.seconds))


def _page_record(index: int, sent: Sent, page: Page, job: _Job, images: PageImages | None) -> bytes:
    picture = None if images is None else images.take()
    image = None if picture is None else jsonl.PageImage(MEDIA_TYPE, picture)
    with job.call.watch("encode"):
        return jsonl.page_record(sent.name, index, page, image)


def _page_images(job: _Job) -> PageImages | None:
    """Return what takes the pictures of the pages of an answer in parts, if they are wanted."""
    if not job.choices.page_images:
        return None
    is_kept = isinstance(job.call.outlet, Gathering)
    return PageImages(job.call.watch, MAX_GATHERED_BYTES if is_kept else math.inf)


def _pages(index: int, sent: Sent, file: File, job: _Job, images: PageImages | None = None) -> Iterator[Page]:
    """Read a file's pages; those that cannot be read are among them if the others count then."""
    record = job.call.record
    look = None if images is None else images.keep
    try:
        for page in file.read(job.reader, job.choices.options, job.call.watch, job.call.next_page, look):
            if page.error is not None and not job.choices.partial:
                raise placed(page.error, index, sent.name, page.number)
            record.pages += page.error is None
            record.lines += len(page.lines)
            if file.kind == "picture":  # those of a document have a limit each
                require_lines(record.lines, job.reader.settings.reading.max_lines)
            yield page
    finally:
        record.pixels = job.shelf.pixels
