"""Which pages are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.errors import InvalidRequest, LimitExceeded
from ppocr_serving.reading.page_numbers import check_pages, chosen_pages


@pytest.mark.parametrize(
    ("text", "count", "numbers"),
    [
        (None, 3, [1, 2, 3]),
        ("2", 3, [2]),
        ("1-3,7,10-", 12, [1, 2, 3, 7, 10, 11, 12]),
        (" 3 , 1 - 2 ", 3, [1, 2, 3]),
        ("2-4,3,1-2", 9, [1, 2, 3, 4]),
        ("1-10", 4, [1, 2, 3, 4]),
        ("4-", 4, [4]),
    ],
)
def test_pages_are_chosen_in_order_and_once(text: str | None, count: int, numbers: list[int]) -> None:
    assert chosen_pages(text, count, 100) == numbers


@pytest.mark.parametrize(
    "text", ["", "0", "0-3", "-3", "a", "1,,2", "1;2", "3-1", "1.5", "1-2-3", "١", "12345678", "1," * 400]
)
def test_what_is_no_choice_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^pages (is|has) ") as caught:
        check_pages(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["4", "1,4", "4-", "4-9"])
def test_a_page_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^pages is '{text}', but the last page is 3; choose pages up to it$"):
        chosen_pages(text, 3, 100)


@pytest.mark.parametrize("text", [None, "1-", "1-5,7-9", "1,2,3,4,5,6"])
def test_more_pages_than_allowed_are_refused(text: str | None) -> None:
    with pytest.raises(LimitExceeded, match=r"; the limit is 5 per call, choose fewer with pages$"):
        chosen_pages(text, 10**9, 5)


@given(st.text(max_size=20))
def test_any_text_is_a_choice_or_an_error(text: str) -> None:
    try:
        numbers = chosen_pages(text, 20, 10)
    except (InvalidRequest, LimitExceeded):
        return
    assert numbers == sorted(set(numbers))
    assert numbers
    assert 1 <= numbers[0] <= numbers[-1] <= 20
