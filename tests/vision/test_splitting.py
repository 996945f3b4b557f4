"""Splitting of long lines at gaps, on drawn lines and without a model."""

import numpy as np

from ppocr_serving.vision.lines import scale_line
from ppocr_serving.vision.splitting import Piece, join_pieces, split_line
from tests.drawing import draw_line

WIDEST = 1600
WORDS = "boats sail slowly past the old harbour wall " * 6
LINE = scale_line(draw_line(WORDS.strip(), margin=4), 48, 100_000)


def piece(after_space: bool = False) -> Piece:
    return Piece(np.zeros((48, 10, 3), dtype=np.uint8), 0, after_space)


def test_a_line_that_fits_is_one_piece() -> None:
    (whole,) = split_line(LINE[:, :WIDEST], WIDEST)
    assert whole.image.shape == (48, WIDEST, 3)
    assert (whole.start, whole.after_space) == (0, False)


def test_pieces_fit_and_make_up_the_line() -> None:
    pieces = split_line(LINE, WIDEST)
    assert len(pieces) > 3
    assert all(part.image.shape[1] <= WIDEST for part in pieces)
    assert np.array_equal(np.hstack([part.image for part in pieces]), LINE)
    assert [part.start for part in pieces] == np.cumsum([0, *(part.image.shape[1] for part in pieces[:-1])]).tolist()


def test_words_are_not_cut() -> None:
    for part in split_line(LINE, WIDEST)[1:]:
        assert part.after_space
        assert LINE[:, part.start - 1 : part.start + 2].min() > 200


def test_words_of_an_underlined_line_are_not_cut() -> None:
    underlined = LINE.copy()
    underlined[-6:-4] = 0
    for part in split_line(underlined, WIDEST)[1:]:
        assert part.after_space
        assert LINE[:, part.start - 1 : part.start + 2].min() > 200


def test_a_line_without_gaps_is_cut_anywhere() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (48, 5000, 3), dtype=np.uint8)
    pieces = split_line(noise, WIDEST)
    assert sum(part.image.shape[1] for part in pieces) == 5000
    assert max(part.image.shape[1] for part in pieces) <= WIDEST


def test_texts_are_joined_with_the_spaces_of_their_gaps() -> None:
    assert join_pieces([piece(), piece(True)], ["old", "wall"]) == "old wall"
    assert join_pieces([piece(), piece()], ["har", "bour"]) == "harbour"
    assert join_pieces([piece(), piece(True)], ["old ", "wall"]) == "old wall"
    assert join_pieces([piece(), piece(True), piece(True)], ["老人", "公园", "x"]) == "老人公园x"
    assert join_pieces([piece(), piece(True)], ["", "wall"]) == "wall"
    assert join_pieces([piece(), piece(True)], ["모든", "인간은"]) == "모든 인간은"
