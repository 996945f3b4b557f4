"""Reading only parts of a page: cut them out, and put what was read back to its place."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np

from ppocr_serving.errors import InvalidRequest, LimitExceeded
from ppocr_serving.reading.files import naming_item
from ppocr_serving.reading.options import Region
from ppocr_serving.results import Box, Line, Page
from ppocr_serving.vision.pictures import BgrImage

__all__ = ["RegionCutter", "clipped", "lines_within", "shifted"]

_MAX_COVER = 2  # times the pixels of the page: regions may overlap, but a page is not read many times


def clipped(region: Region, width: int, height: int) -> Region:
    """Return the part of a region that is on a page.

    Args:
        region: The region.
        width: Pixels of the page.
        height: Likewise.

    Raises:
        InvalidRequest: None of it is.
    """
    x, y, wide, high = region
    if x >= width or y >= height:
        raise InvalidRequest(
            f"region is {list(region)}, which is outside of this page of {width}x{height} pixels; give one inside"
        )
    return x, y, min(wide, width - x), min(high, height - y)


def _parts(regions: Sequence[Region], width: int, height: int) -> list[Region]:
    """Return the parts of regions that are on a page, which together are not much more than the page."""
    parts = [clipped(region, width, height) for region in regions]
    pixels = sum(wide * high for _, _, wide, high in parts)
    if len(parts) > 1 and pixels > _MAX_COVER * width * height:
        raise LimitExceeded(
            f"region has {len(parts)} parts of {pixels} pixels together; the limit is {_MAX_COVER} times the "
            f"{width * height} pixels of the page, give smaller ones or fewer"
        )
    return parts


class RegionCutter:
    """Cut regions out of pages, and join what was read from them.

    Args:
        images: (H, W, 3) uint8 BGR each, consumed one by one.
        regions: Of each page, in the order in which they are read.
        is_named: Whether errors name the page as an item of `images`.
    """

    def __init__(self, images: Iterable[BgrImage], regions: Sequence[Region], *, is_named: bool = True) -> None:
        self._images = images
        self._regions = regions
        self._is_named = is_named
        self._sizes: list[tuple[int, int]] = []
        self._corners: list[tuple[int, int]] = []

    def __iter__(self) -> Iterator[BgrImage]:
        """Yield the regions of all pages, page after page.

        Raises:
            InvalidRequest: A region is outside of a page.
            LimitExceeded: They have more than twice the pixels of a page.
        """
        for index, image in enumerate(self._images):
            height, width = image.shape[:2]
            with naming_item(f"images[{index}]:") if self._is_named else nullcontext():
                parts = _parts(self._regions, width, height)
            self._sizes.append((width, height))
            self._corners += ((x, y) for x, y, _, _ in parts)
            for x, y, wide, high in parts:
                yield np.ascontiguousarray(image[y : y + high, x : x + wide])
            del image

    def join(self, parts: Sequence[Page]) -> list[Page]:
        """Return the pages, after all regions were read.

        Args:
            parts: One per region, in order.

        Returns:
            One per page: lines region after region, paragraphs numbered on. The angle is that of the regions, or 0 if
            they differ.
        """
        pages = []
        step = len(self._regions)
        for number, (width, height) in enumerate(self._sizes):
            of_page = slice(number * step, (number + 1) * step)
            lines: list[Line] = []
            first = 0
            for part, corner in zip(parts[of_page], self._corners[of_page], strict=True):
                moved = [_moved(line, corner, first) for line in part.lines]
                first = max((line.paragraph + 1 for line in moved), default=first)
                lines += moved
            angles = {part.angle for part in parts[of_page]}
            pages.append(Page(width, height, tuple(lines), angles.pop() if len(angles) == 1 else 0))
        return pages

    def join_boxes(self, parts: Sequence[list[Box]]) -> list[list[Box]]:
        """As `join`, for boxes alone."""
        step = len(self._regions)
        moved = [[shifted(box, corner) for box in boxes] for boxes, corner in zip(parts, self._corners, strict=True)]
        return [[box for boxes in moved[start : start + step] for box in boxes] for start in range(0, len(moved), step)]


def lines_within(lines: Iterable[Line], region: Region) -> list[Line]:
    """Return the lines whose middles are in a region."""
    x, y, wide, high = region
    found = []
    for line in lines:
        middle_x, middle_y = (sum(corner[axis] for corner in line.box) / 4 for axis in (0, 1))
        if x <= middle_x < x + wide and y <= middle_y < y + high:
            found.append(line)
    return found


def shifted(box: Box, by: tuple[int, int]) -> Box:
    """Return a box that lies further to the right and further down."""
    first, second, third, fourth = ((x + by[0], y + by[1]) for x, y in box)
    return first, second, third, fourth


def _moved(line: Line, by: tuple[int, int], first: int) -> Line:
    words = tuple(replace(word, box=shifted(word.box, by)) for word in line.words)
    return replace(line, box=shifted(line.box, by), words=words, paragraph=first + line.paragraph)
