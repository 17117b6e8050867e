"""Large answers take turns: some connections stay free, and who hardly reads makes room."""

import threading
import time
from dataclasses import dataclass, field

import pytest

from vo_server import deliveries
from vo_server.deliveries import SLOW, Deliveries
from vo_server.errors import OverloadError

FLOWS, STANDS, SLEEPS = 0.0, SLOW / 2, SLOW * 2
"""Seconds without reading of a client that reads, one that rests, and one that may be given up."""


@dataclass(eq=False)
class Answer:
    """An answer whose client has not read for `unread` seconds."""

    unread: float = FLOWS
    of: Deliveries | None = None
    given_up: threading.Event = field(default_factory=threading.Event)

    def idle(self) -> float:
        return self.unread

    def give_up(self) -> None:
        if self.of is not None:
            self.of.leave(self)
        self.given_up.set()


def entered(places: Deliveries, *unread: float) -> list[Answer]:
    answers = [Answer(seconds, places) for seconds in unread]
    for answer in answers:
        places.enter(answer)
    return answers


def seconds_until_refused(places: Deliveries) -> float:
    start = time.monotonic()
    with pytest.raises(OverloadError):
        places.enter(Answer())
    return time.monotonic() - start


@pytest.mark.parametrize(("connections", "most"), [(1, 1), (2, 2), (3, 3), (4, 3), (8, 6), (20, 15)])
def test_a_quarter_of_the_connections_stays_free(connections: int, most: int) -> None:
    places = Deliveries(connections)
    entered(places, *[STANDS] * most)
    assert seconds_until_refused(places) < 0.5


def test_who_leaves_makes_room_once() -> None:
    places = Deliveries(4)
    first, *_ = entered(places, STANDS, STANDS, STANDS)
    places.leave(first)
    places.leave(first)
    entered(places, STANDS)
    seconds_until_refused(places)


def test_the_slowest_is_given_up_for_a_new_one() -> None:
    places = Deliveries(4)
    answers = entered(places, SLEEPS, SLEEPS + 1, FLOWS)
    entered(places, STANDS)
    assert [answer.given_up.is_set() for answer in answers] == [False, True, False]


def test_one_that_was_given_up_takes_no_place_with_it_when_it_leaves() -> None:
    places = Deliveries(2)
    sleeping, _ = entered(places, SLEEPS, STANDS)
    entered(places, STANDS)
    assert sleeping.given_up.is_set()
    places.leave(sleeping)
    seconds_until_refused(places)


def test_an_answer_waits_for_others_that_flow() -> None:
    places = Deliveries(2)
    first, _ = entered(places, FLOWS, FLOWS)
    threading.Timer(0.2, places.leave, [first]).start()
    start = time.monotonic()
    entered(places, FLOWS)
    assert time.monotonic() - start >= 0.2


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "_WAIT", 0.2)
    places = Deliveries(2)
    answers = entered(places, FLOWS, FLOWS)
    assert seconds_until_refused(places) >= 0.2
    assert not any(answer.given_up.is_set() for answer in answers)


def test_one_that_flows_is_worth_waiting_for() -> None:
    places = Deliveries(2)
    _, flowing = entered(places, STANDS, FLOWS)
    threading.Timer(0.1, places.leave, [flowing]).start()
    entered(places, FLOWS)


def test_never_more_than_there_are_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "_WAIT", 10.0)
    places, lock = Deliveries(4), threading.Lock()
    under_way, most, done = 0, 0, 0

    def deliver() -> None:
        nonlocal under_way, most, done
        answer = Answer()
        places.enter(answer)
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.01)
        with lock:
            under_way -= 1
            done += 1
        places.leave(answer)

    threads = [threading.Thread(target=deliver) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert (most, done) == (3, 30)
