"""The page as it opens."""

import pytest
from playwright.sync_api import Page

from tests.page.accessibility import check_accessibility
from tests.page.looks import LOCALES, SCHEMES, SIZES, Look, looks
from tests.page.watch import Watch
from tests.served.server import Served


def test_it_has_a_title_and_a_strict_policy(page: Page) -> None:
    answer = page.goto("/")

    assert answer is not None
    assert answer.status == 200
    assert "ppocr-serving" in page.title()
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*"} & set(" ".join(policy.values()).split())


def test_it_asks_no_other_server(page: Page, watch: Watch, server: Served) -> None:
    page.goto("/")

    assert watch.requests[0] == f"{server.url}/"


@pytest.mark.parametrize("look", [*looks(schemes=SCHEMES, sizes=SIZES), Look(LOCALES[1])], ids=str)
def test_it_breaks_no_rule_of_accessibility(page: Page) -> None:
    page.goto("/")

    check_accessibility(page)


@pytest.mark.parametrize("look", looks(LOCALES, sizes=SIZES), ids=str)
def test_it_fits_the_width_of_the_window(page: Page, look: Look) -> None:
    page.goto("/")

    assert page.evaluate("document.documentElement.scrollWidth") <= look.size[0]
