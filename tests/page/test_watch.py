"""Whether the fixtures notice what goes wrong in a page."""

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.page.watch import Watch


@pytest.fixture
def faulty(context: BrowserContext, watch: Watch) -> Page:
    """A page of the server in which tests do wrong."""
    page = context.new_page()
    page.goto("/")
    assert watch.complaints() == []
    return page


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("console.error('it broke')", "console error: it broke"),
        ("console.warn('it may break')", "console warning: it may break"),
        ("setTimeout(() => { throw new Error('nobody catches it') })", "exception: nobody catches it"),
        ("void Promise.reject(new Error('nobody waits'))", "exception: nobody waits"),
        ("void setTimeout(() => alert(1))", "alert: 1"),
        ("void fetch('http://192.0.2.1/').catch(() => 0)", "192.0.2.1"),
        ("document.body.setAttribute('style', 'color: red')", "Content Security Policy"),
        ("void fetch('/nothing')", "status 404 of http://127.0.0.1"),
    ],
)
def test_what_goes_wrong_is_a_complaint(script: str, complaint: str, faulty: Page, watch: Watch) -> None:
    faulty.evaluate(script)

    for _ in range(200):
        if watch.complaints():
            break
        faulty.wait_for_timeout(20)
    assert complaint in " / ".join(watch.complaints())


def test_a_failing_status_can_be_expected_as_often_as_it_comes(faulty: Page, watch: Watch) -> None:
    watch.expect_status(404)
    faulty.evaluate("fetch('/nothing')")
    watch.wait_for_statuses(faulty)
    assert watch.complaints() == []

    watch.expect_status(404)
    assert watch.complaints() == ["status 404 was expected, and did not come"]
    faulty.evaluate("fetch('/nothing')")
    watch.wait_for_statuses(faulty)
    assert watch.complaints() == []
