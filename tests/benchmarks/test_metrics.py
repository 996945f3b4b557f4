import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.labels import LabelledLine
from benchmarks.metrics import Errors, Matches, Score, edit_distance, matching_lines, score


def line(text: str, left: float = 0, top: float = 0, right: float = 100, bottom: float = 20) -> LabelledLine:
    return LabelledLine(text, (left, top, right, bottom))


def below(text: str, top: float) -> LabelledLine:
    return line(text, top=top, bottom=top + 20)


def test_equal_lines_match_regardless_of_case_and_spaces() -> None:
    assert score([line("Total 12.50")], [line("TOTAL12.50")]).lines.f1 == 1.0


def test_a_line_elsewhere_does_not_match() -> None:
    result = score([line("abc")], [line("abc", left=200, right=300)])

    assert (result.lines, result.detection) == (Matches(1, 1, 0), Matches(1, 1, 0))
    assert result.lines.f1 == 0.0


@pytest.mark.parametrize(("shift", "matches"), [(33, 1), (34, 0)])  # 67/133 is above one half, 66/134 below
def test_half_of_the_union_must_overlap(shift: float, matches: int) -> None:
    result = score([line("abc")], [line("abc", left=shift, right=100 + shift)])

    assert (result.lines.matches, result.detection.matches) == (matches, matches)


def test_each_read_line_is_used_once() -> None:
    result = score([line("abc"), line("abc")], [line("abc")])

    assert (result.lines, result.words, result.detection) == (Matches(2, 1, 1), Matches(2, 1, 1), Matches(2, 1, 1))


def test_matching_lines_are_told_by_their_indices() -> None:
    labels = [below("a", 0), below("b", 40), below("c", 80)]
    read = [below("c", 80), below("x", 40), below("a", 0)]

    assert matching_lines(labels, read) == {0: 2, 2: 0}


def test_a_box_counts_as_found_whatever_its_text() -> None:
    result = score([line("abc")], [line("xyz")])

    assert (result.lines, result.detection) == (Matches(1, 1, 0), Matches(1, 1, 1))


def test_the_best_pair_of_boxes_is_taken_first() -> None:
    # The first label would take the read line that is the second one's only.
    labels = [below("first", 0), below("second", 10)]
    read = [below("b", 5), below("a", 0)]

    assert score(labels, read).detection == Matches(2, 2, 2)


def test_words_count_wherever_they_stand_and_as_often_as_they_occur() -> None:
    result = score([below("tea 2.50", 0), below("Tea 3.00", 40)], [below("3.00 TEA tea tea", 500)])

    assert result.words == Matches(labels=4, predictions=4, matches=3)


def test_words_that_run_together_are_one_wrong_word() -> None:
    result = score([line("no spaces here")], [line("nospaces here")])

    assert result.words == Matches(labels=3, predictions=2, matches=1)
    assert result.words.precision == 0.5
    assert result.words.recall == pytest.approx(1 / 3)
    assert result.words.f1 == pytest.approx(2 / 5)


def test_errors_count_with_and_without_spaces() -> None:
    result = score([below("no spaces", 0), below("here", 40)], [below("nospaxes", 0), below("here", 40)])

    assert result.characters == Errors(characters=12, edits=1)
    assert result.characters_and_spaces == Errors(characters=14, edits=2)
    assert result.characters_and_spaces.percent == pytest.approx(100 * 2 / 14)


def test_a_line_break_is_worth_a_space() -> None:
    result = score([line("one two")], [below("one", 0), below("two", 40)])

    assert (result.characters_and_spaces.edits, result.words.f1) == (0, 1.0)


def test_lines_in_the_wrong_order_are_character_errors() -> None:
    result = score([below("ab", 0), below("cd", 40)], [below("cd", 40), below("ab", 0)])

    assert (result.lines.f1, result.words.f1) == (1.0, 1.0)
    assert result.characters == Errors(characters=4, edits=4)


def test_only_the_order_of_what_was_read_counts_as_an_error_of_the_order() -> None:
    labels = [below("abc", 0), below("def", 40), below("gh", 80)]
    misread, elsewhere = below("xyz", 0), below("more", 900)

    assert score(labels, [misread, below("de", 40), elsewhere, below("gh", 80)]).order == Errors(7, 0)
    assert score(labels, [below("gh", 80), misread, below("de", 40)]).order == Errors(7, 4)


def test_pieces_of_one_label_are_in_order_from_left_to_right() -> None:
    left, right = line("ab", right=40), line("cd", left=60)

    assert score([line("abcd")], [left, right]).order == Errors(4, 0)
    assert score([line("abcd")], [right, left]).order.edits > 0


def test_far_too_much_text_is_more_than_a_hundred_percent() -> None:
    assert score([line("a")], [line("abc")]).characters.percent == 200.0


def test_regions_to_ignore_and_what_is_read_in_them_do_not_count() -> None:
    labels = [below("abc", 0), line("###", top=40, bottom=60)]
    inside = line("smudge", left=49, right=149, top=40, bottom=60)
    outside = line("more", left=50, right=150, top=40, bottom=60)

    assert score(labels, [below("abc", 0), inside]) == score([below("abc", 0)], [below("abc", 0)])
    assert score(labels, [below("abc", 0), outside]).lines == Matches(1, 2, 1)


def test_an_empty_score_is_zero() -> None:
    empty = Score()

    assert empty.lines.f1 == empty.words.precision == empty.detection.recall == empty.characters.percent == 0.0


def test_counts_add_up_over_pictures() -> None:
    total = score([line("abc")], [line("abc")]).plus(score([line("x y")], []))

    assert (total.lines.precision, total.lines.recall) == (1.0, 0.5)
    assert total.lines.f1 == pytest.approx(2 / 3)
    assert total.words == Matches(3, 1, 1)
    assert total.detection == Matches(2, 1, 1)
    assert total.characters == Errors(5, 2)
    assert total.characters_and_spaces == Errors(6, 3)


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ("", "", 0),
        ("abc", "", 3),
        ("", "abc", 3),
        ("kitten", "sitting", 3),
        ("图中的文字", "图的文宇", 2),
        ("ab", "ba", 2),
    ],
)
def test_known_edit_distances(first: str, second: str, distance: int) -> None:
    assert edit_distance(first, second) == distance


@given(st.text("ab ", max_size=80), st.text("abc", max_size=80))
def test_edit_distances_are_those_of_the_table_that_defines_them(first: str, second: str) -> None:
    above = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        row = [i]
        for j, b in enumerate(second, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
        above = row

    assert edit_distance(first, second) == above[-1]
