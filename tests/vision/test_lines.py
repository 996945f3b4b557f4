import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ppocr_serving.vision.lines import batch_lines, line_width, scale_line

SIZES = st.tuples(st.integers(1, 90), st.integers(1, 600))


@given(st.lists(SIZES, min_size=1, max_size=4), st.sampled_from([192, 320, 480]))
def test_crops_keep_their_proportions_and_are_padded_with_grey(sizes: list[tuple[int, int]], width: int) -> None:
    crops = [np.full((high, wide, 3), 255, dtype=np.uint8) for high, wide in sizes]

    batch = batch_lines(crops, 48, width)

    assert batch.shape == (len(sizes), 3, 48, width)
    assert batch.dtype == np.float32
    for line, crop in zip(batch, crops, strict=True):
        filled = min(width, line_width(crop, 48))
        np.testing.assert_allclose(line[:, :, :filled], 1, atol=1e-6)
        assert (line[:, :, filled:] == 0).all()


@given(st.integers(1, 500), st.integers(1, 5000))
def test_the_width_is_rounded_up(height: int, width: int) -> None:
    scaled = line_width(np.zeros((height, width, 3), dtype=np.uint8), 48)

    assert 0 <= scaled - 48 * width / height < 1 + 1e-9
    assert scaled >= 1


def test_values_run_from_minus_one_to_one_in_bgr() -> None:
    crop = np.zeros((48, 48, 3), dtype=np.uint8)
    crop[:] = (0, 51, 255)

    line = batch_lines([crop], 48, 192)[0]

    np.testing.assert_allclose(line[:, 24, 24], [-1, -0.6, 1], atol=1e-6)


@given(SIZES, st.integers(0, 2**32 - 1))
def test_a_line_scaled_in_advance_gives_the_same_batch(size: tuple[int, int], seed: int) -> None:
    crop = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)

    scaled = scale_line(crop, 48, 6400)

    assert scaled.shape[0] == 48
    if scaled.shape[1] <= 480:  # squeezing twice is not squeezing once
        np.testing.assert_array_equal(batch_lines([scaled], 48, 480), batch_lines([crop], 48, 480))
