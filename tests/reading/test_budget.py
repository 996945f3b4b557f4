"""Room for the bodies of all requests."""

import pytest

from ppocr_serving.errors import OcrError, Overloaded
from ppocr_serving.reading import budget as budget_module
from ppocr_serving.reading.budget import Budget, Share


class Bodies:
    """Bodies that arrive, and the errors with which they are given up."""

    def __init__(self, size: int) -> None:
        self.budget = Budget(size)
        self.errors: dict[str, OcrError] = {}

    def begin(self, name: str) -> Share:
        return self.budget.share(lambda error: self.errors.__setitem__(name, error))


def test_all_requests_share_one_byte_budget() -> None:
    bodies = Bodies(10)
    first, second = bodies.begin("first"), bodies.begin("second")
    first.take(4)
    second.take(4)
    first.take(2)
    with pytest.raises(Overloaded, match="no room for more request bodies"):
        second.take(1)
    assert not bodies.errors  # both have just grown
    first.release()
    second.take(6)
    second.release()
    bodies.begin("alone").take(10)


def test_a_body_keeps_its_room_until_it_is_released() -> None:
    bodies = Bodies(10)
    first, second = bodies.begin("first"), bodies.begin("second")
    first.take(10)
    first.complete()
    with pytest.raises(Overloaded):
        second.take(1)
    first.release()
    first.release()  # has no effect any more
    second.take(10)
    with pytest.raises(Overloaded):
        bodies.begin("third").take(1)


def test_the_slowest_body_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget_module, "_PATIENCE_SECONDS", 0.0)
    bodies = Bodies(100)
    shares = {name: bodies.begin(name) for name in ("complete", "slow", "slower", "new")}
    for name in ("complete", "slow", "slower"):
        shares[name].take(30)
    shares["complete"].complete()
    shares["slower"].last_progress -= 20
    shares["slow"].last_progress -= 10

    shares["new"].take(30)  # 20 more than there are

    assert bodies.errors.keys() == {"slower"}
    assert str(bodies.errors["slower"]) == "the body arrived too slowly while others needed its room; try again later"
    shares["new"].take(30)
    assert bodies.errors.keys() == {"slower", "slow"}
    with pytest.raises(Overloaded, match="no room"):  # what has arrived completely gives way to nobody
        shares["new"].take(30)


def test_bodies_that_grow_noticeably_do_not_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget_module, "_PROGRESS_BYTES", 10)
    bodies = Bodies(100)
    steady, trickling = bodies.begin("steady"), bodies.begin("trickling")
    for share in (steady, trickling):
        share.last_progress -= 60
    steady.take(5)
    steady.take(5)
    trickling.take(9)

    bodies.begin("large").take(90)

    assert bodies.errors.keys() == {"trickling"}


def test_a_server_that_stops_refuses_what_has_not_arrived() -> None:
    bodies = Bodies(100)
    shares = {name: bodies.begin(name) for name in ("complete", "arriving", "given up")}
    shares["complete"].complete()
    shares["given up"].release()
    bodies.budget.refuse_arriving(Overloaded("stopping"))

    assert bodies.errors.keys() == {"arriving"}
