"""What is ink in a line of text, and what is not part of its letters."""

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["without_rules"]

_RULE = 0.75  # of its columns: a row with ink in more of them is a rule
_RULE_INK = 0.4  # of the usual contrast: a rule is as dark as the text
_MAX_RULES = 0.25  # of the rows: where more of them look like rules, they are not


def without_rules(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Leave out rules along a line, such as an underline, which would fill the gaps between letters with ink.

    Args:
        grey: (H, w) uint8, a single line of text.

    Returns:
        (h, w) uint8, the rows that belong to no rule; all of them if they would be few.
    """
    return grey[~_is_rule(grey)]


def _is_rule(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return which rows belong to a rule along the line, such as an underline, which would fill the gaps with ink.

    Args:
        grey: (H, w) uint8.

    Returns:
        (H,); no row if it would be most of them.
    """
    middle = (int(grey.max()) + int(grey.min())) // 2
    is_dark = 2 * np.count_nonzero(grey <= middle) > grey.size  # there is more paper than ink
    paper = (grey.min if is_dark else grey.max)(axis=0, keepdims=True)
    deviation = cv2.absdiff(grey, np.repeat(paper, len(grey), axis=0))
    # As `np.percentile` does, in a fraction of its time.
    usual = np.bincount(deviation.ravel(), minlength=256).cumsum().searchsorted(0.95 * grey.size)
    inked = deviation > _RULE_INK * usual
    rule = (inked.mean(axis=1) > _RULE).astype(np.uint8)
    if rule.mean() > _MAX_RULES:
        rule[:] = 0
    # With a row above and below, which are grey.
    wider: npt.NDArray[np.uint8] = cv2.dilate(rule[:, np.newaxis], np.ones((3, 1), np.uint8))[:, 0]
    return wider.astype(bool)
