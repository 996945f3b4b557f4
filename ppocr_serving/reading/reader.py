"""The text in pictures and files, read with the stages that the settings ask for."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import product
from pathlib import Path

import msgspec

from ppocr_serving.engines import Engine, EnginePool
from ppocr_serving.errors import InvalidRequest, OcrError
from ppocr_serving.models import ROLES, Role
from ppocr_serving.reading.documents import DocumentLimits, OpenDocument, open_document
from ppocr_serving.reading.files import name_of, naming_source, read_file
from ppocr_serving.reading.inputs import Source
from ppocr_serving.reading.models import hashes_of
from ppocr_serving.reading.options import ReadOptions, pipeline_options
from ppocr_serving.reading.pages import PageReader, render_pages
from ppocr_serving.reading.regions import RegionCutter
from ppocr_serving.reading.specs import (
    has_second_recognizer,
    require_supported_profile,
    roles_to_load,
    runs_on_openvino,
)
from ppocr_serving.reading.stages import Stages
from ppocr_serving.results import Box, Document, Page
from ppocr_serving.settings import Settings, load_settings
from ppocr_serving.timing import Stopwatch
from ppocr_serving.vision.classification import Angle
from ppocr_serving.vision.layout import find_layout
from ppocr_serving.vision.pictures import BgrImage
from ppocr_serving.vision.pipeline import PipelineOptions, TextSystem, require_lines, to_box
from ppocr_serving.vision.recognition import Text
from ppocr_serving.vision.rereading import CroppedLine

__all__ = ["Reader"]


class Reader:
    """Read the text in pictures.

    A reader is thread-safe. Its models are looked up at construction and loaded at the first call.

    Args:
        profile: Name of a profile, or path of its TOML file; None leaves it to the settings.
        settings: Settings to use; None loads them from the environment (`PPOCR_*`).
        pool: Pool of engines; readers with the same pool share engines. None creates one.
        roles: The models that will be used; None means those needed to read entire pictures.

    Raises:
        InvalidSetting: A setting is not allowed, or not supported on this machine.
        ModelNotFound: The profile, a model's files or the dictionary are missing.
    """

    def __init__(
        self,
        profile: str | None = None,
        *,
        settings: Settings | None = None,
        pool: EnginePool | None = None,
        roles: Sequence[Role] | None = None,
    ) -> None:
        if settings is None:
            settings = load_settings(init_args=None if profile is None else {"profile": profile})
        elif profile is not None:
            raise TypeError("give either profile or settings: the settings already name a profile")
        require_supported_profile(settings)
        self.settings = settings
        self._stages = Stages(settings, EnginePool() if pool is None else pool)
        if roles is None:
            roles = ROLES if settings.reading.use_angle_cls else ("det", "rec")
        self.roles = roles_to_load(settings, roles)
        self._defaults = pipeline_options(settings.reading, None, settings.models.profile.det)
        self._stages.assemble(self.roles)  # missing files are reported now, not at the first picture

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The engines of all roles."""
        return tuple(engine for role in self.roles for engine in self._stages.engines(role))

    @property
    def first_engines(self) -> tuple[Engine, ...]:
        """The engines that all pictures need, while many need neither classifier nor second recogniser; else all."""
        first = tuple(engine for role in self.roles if role in ("det", "rec") for engine in self._stages.engines(role))
        return first or self.engines

    @cached_property
    def model_hashes(self) -> dict[str, str]:
        """The SHA-256 of the files that it reads with, by role and name, such as `det/inference.onnx`."""
        return hashes_of(self.settings, self.roles)

    def read(self, source: Source, options: ReadOptions | None = None) -> Document:
        """Read one picture, or the pages of a TIFF, GIF or PDF file.

        Args:
            source: A file's path, a file's bytes, or (H, W, 3) uint8 BGR.
            options: Options of this call; None leaves everything to the settings.

        Returns:
            The pages that `options` choose. If a file has several pages or is a PDF, those that cannot be read have an
            `error`.

        Raises:
            InvalidRequest: The source cannot be read, or is not a picture or PDF; the message names the path, if any.
            LimitExceeded: It has more pages or pixels than allowed.
            EngineError: A network failed.
        """
        return Document(tuple(self.read_pages(source, options)), name_of(source))

    def read_pages(
        self, source: Source, options: ReadOptions | None = None, *, watch: Stopwatch | None = None
    ) -> Generator[Page, None, None]:
        """Read as `read` does, each page when it is asked for.

        Args:
            source: As for `read`.
            options: As for `read`.
            watch: Receives the time of every stage; what it raises ends the call.

        Raises:
            OcrError: As for `read`.
        """
        options, watch = options or ReadOptions(), watch or Stopwatch()
        with naming_source(source), self._open(source, options, watch) as document:
            yield from self.read_open(document, options, watch=watch)

    def read_open(
        self,
        document: OpenDocument,
        options: ReadOptions | None = None,
        *,
        watch: Stopwatch | None = None,
        look: Callable[[BgrImage], None] | None = None,
    ) -> Generator[Page, None, None]:
        """Read as `read_pages` does, from a file that is already open; it stays open.

        Args:
            document: The file; see `ppocr_serving.reading.documents`.
            options: As for `read`.
            watch: As for `read_pages`.
            look: Called with the picture of each page, (H, W, 3) uint8 BGR, before it is read, or its own text taken.
                An InvalidRequest or LimitExceeded that it raises is the page's error.

        Raises:
            OcrError: As for `read`.
        """
        chosen, stopwatch = options or ReadOptions(), watch or Stopwatch()

        def read(images: Iterable[BgrImage]) -> Page:
            (page,) = self._pages(images, chosen, stopwatch, is_named=False)
            return page

        yield from PageReader(read, self.settings.reading, chosen, stopwatch, look)(document)

    def page_images(self, source: Source, options: ReadOptions | None = None) -> Generator[BgrImage, None, None]:
        """Yield the pages that `read_pages` reads with the same arguments, as pictures.

        Args:
            source: As for `read`.
            options: As for `read`; `pages`, `dpi` and `password` are used.

        Yields:
            (H, W, 3) uint8, BGR; (0, 0, 3) for a page that cannot be rendered.

        Raises:
            OcrError: As for `read`.
        """
        options, watch = options or ReadOptions(), Stopwatch()
        with naming_source(source), self._open(source, options, watch) as document:
            yield from render_pages(document, options, options.dpi or self.settings.reading.pdf_dpi, watch)

    def read_many(self, sources: Iterable[Source], options: ReadOptions | None = None) -> Iterator[Document]:
        """Read pictures one after the other.

        Args:
            sources: As in `read`; consumed one by one.
            options: As in `read`.

        Yields:
            One document per source, in order. For a source that cannot be read, it has no pages and an `error`.
        """
        for source in sources:
            try:
                yield self.read(source, options)
            except OcrError as error:
                yield Document((), name_of(source), error)

    def pages(
        self,
        images: Iterable[BgrImage],
        options: ReadOptions | None = None,
        watch: Stopwatch | None = None,
        *,
        paragraphs: bool = True,
        text_corners: bool = True,
    ) -> list[Page]:
        """Read decoded pictures together, which costs less than one by one if they are small.

        Args:
            images: (H, W, 3) uint8 BGR each. Consumed one by one: if they are decoded on demand, only one of them is in
                memory at a time.
            options: Options of this call.
            watch: Receives the time of every stage.
            paragraphs: Find paragraphs also where lines stay in rows; without, those pages take a hundredth less time.
            text_corners: Begin the boxes of lines that are upside down or on their side at the text's top left;
                without, at the page's, as PaddleOCR does.

        Returns:
            One page per picture, in order.

        Raises:
            LimitExceeded: The pictures have more lines than `max_lines`.
            EngineError: A network failed.
        """
        return self._pages(images, options, watch or Stopwatch(), paragraphs=paragraphs, text_corners=text_corners)

    def detect(
        self, images: Iterable[BgrImage], options: ReadOptions | None = None, watch: Stopwatch | None = None
    ) -> list[list[Box]]:
        """Find the lines in pictures without reading them.

        Args:
            images: As in `pages`.
            options: Options of this call.
            watch: Receives the time of every stage.

        Returns:
            One list per picture, in order, with the boxes in reading order.

        Raises:
            LimitExceeded: The pictures have more lines than `max_lines`.
            EngineError: A network failed.
        """
        if options is not None and options.regions:
            cutter = RegionCutter(images, options.regions)
            whole = msgspec.structs.replace(options, region=None)
            return cutter.join_boxes(self.detect(cutter, whole, watch))
        effective, watch = self._effective(options), watch or Stopwatch()
        found: list[list[Box]] = []
        count = 0
        for image in images:
            boxes = self._stages.detector(image, effective.detection, watch)
            count += len(boxes)
            require_lines(count, effective.max_lines)
            if effective.natural_order:
                with watch("layout"):
                    boxes = boxes[find_layout(boxes).order]
            found.append([to_box(box) for box in boxes])
        return found

    def classify(self, images: Iterable[BgrImage], watch: Stopwatch | None = None) -> list[Angle]:
        """Classify the orientation of cropped lines.

        Args:
            images: (H, W, 3) uint8 BGR each, a single line of text. Consumed batch by batch.
            watch: Receives the time of every stage.

        Returns:
            One angle per line, in order.

        Raises:
            EngineError: The network failed.
        """
        return self._stages.classifier(images, watch or Stopwatch())

    def recognize(
        self, images: Iterable[BgrImage], options: ReadOptions | None = None, watch: Stopwatch | None = None
    ) -> list[Text]:
        """Read cropped lines, without dropping any.

        Args:
            images: (H, W, 3) uint8 BGR each, a single line of text. Consumed one by one.
            options: Options of this call.
            watch: Receives the time of every stage.

        Returns:
            One text per line, in order.

        Raises:
            EngineError: The network failed.
        """
        effective, watch = self._effective(options), watch or Stopwatch()
        lines = self._stages.recognizer.lines(images, watch)
        return self._stages.line_reader(
            [CroppedLine(line, line) for line in lines], [1] * len(lines), effective.reread_score, watch
        )

    def try_out(self, image: BgrImage) -> None:
        """Run the reader's networks once, on one picture with a line of text.

        Args:
            image: (H, W, 3) uint8 BGR.

        Raises:
            EngineError: A network failed.
        """
        # Each by itself: a detector need not find the line, and a recogniser with a wrong dictionary is refused here.
        if "det" in self.roles:
            self.detect([image])
        if "cls" in self.roles:
            self.classify([image])
        if "rec" in self.roles:
            self.recognize([image])
        if "reread" in self.roles:
            self._stages.second_recognizer([image], Stopwatch())

    def usual_shapes(self) -> Iterator[tuple[Engine, tuple[int, int, int, int]]]:
        """Yield the recognisers' engines with each shape of their input that most pictures need.

        Paddle's engines are left out, and those that do not keep so many shapes.
        """
        for role in self.roles:
            if role not in ("rec", "reread") or not runs_on_openvino(self.settings, role):
                continue
            shapes = (self._stages.recognizer if role == "rec" else self._stages.second_recognizer).usual_shapes
            if len(shapes) <= self.settings.models.kept_shapes:
                yield from product(self._stages.engines(role), shapes)

    def _open(self, source: Source, options: ReadOptions, watch: Stopwatch) -> OpenDocument:
        data = read_file(source) if isinstance(source, str | Path) else source
        limits = DocumentLimits.of(self.settings)
        return open_document(data, limits, password=options.password or "", check=watch.check)

    def _pages(
        self,
        images: Iterable[BgrImage],
        options: ReadOptions | None,
        watch: Stopwatch,
        *,
        paragraphs: bool = True,
        text_corners: bool = True,
        is_named: bool = True,
    ) -> list[Page]:
        """Read pictures; errors call them items of several if `is_named`."""
        effective = replace(self._effective(options), paragraphs=paragraphs, text_corners=text_corners)
        classifier = self._stages.classifier if effective.use_angle_cls else None
        system = TextSystem(self._stages.detector, classifier, self._stages.line_reader)
        if options is None or not options.regions:
            return system(images, effective, watch)
        cutter = RegionCutter(images, options.regions, is_named=is_named)
        return cutter.join(system(cutter, effective, watch))

    def _effective(self, options: ReadOptions | None) -> PipelineOptions:
        if options is None:
            return self._defaults
        if options.reread_score and not has_second_recognizer(self.settings):
            raise InvalidRequest(
                f"reread_score is {options.reread_score:g}, but this reader has no second recogniser; leave it out"
            )
        return pipeline_options(self.settings.reading, options, self.settings.models.profile.det)
