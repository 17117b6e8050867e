"""Who waits for whom, and never for long."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from starlette.types import Message, Receive, Scope, Send

from vo_server import precedence
from vo_server.precedence import PRECEDENCE, Precedence, YoungRequests

HTTP: Scope = {"type": "http"}


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> Precedence:
    """Times long enough to be told apart on a busy machine."""
    monkeypatch.setattr(precedence, "_YOUTH", 0.6)
    monkeypatch.setattr(precedence, "_LONGEST", 0.3)
    return Precedence()


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    yield
    assert not PRECEDENCE._begun


def waited(order: Precedence) -> float:
    start = time.monotonic()
    order.give_way()
    return time.monotonic() - start


def test_nobody_is_young(order: Precedence) -> None:
    assert waited(order) < 0.1
    with order.young():
        pass
    assert waited(order) < 0.1


def test_the_longest_wait(order: Precedence) -> None:
    with order.young():
        assert 0.29 <= waited(order) < 0.5


def test_the_wait_ends_with_the_answer(order: Precedence) -> None:
    with order.young():
        pass
    youth = order.young()
    youth.__enter__()
    timer = threading.Timer(0.1, youth.__exit__, (None, None, None))
    timer.start()
    assert 0.05 < waited(order) < 0.25
    timer.join()


def test_it_waits_for_the_last_of_them(order: Precedence) -> None:
    with order.young():
        for seconds in (0.02, 0.05):
            youth = order.young()
            youth.__enter__()
            threading.Timer(seconds, youth.__exit__, (None, None, None)).start()
        assert waited(order) >= 0.29


def test_who_is_no_longer_young_is_not_waited_for(order: Precedence) -> None:
    with order.young():
        time.sleep(0.7)
        assert waited(order) < 0.1
        with order.young():
            assert waited(order) >= 0.29


def test_an_exception_ends_youth(order: Precedence) -> None:
    with pytest.raises(KeyError), order.young():
        raise KeyError
    assert waited(order) < 0.1


def test_many_come_while_many_wait(order: Precedence) -> None:
    """However many come one after the other: nobody waits longer than said."""
    stop = threading.Event()
    times: list[float] = []

    def come() -> None:
        while not stop.is_set():
            with order.young():
                time.sleep(0.001)

    def wait() -> None:
        for _ in range(2):
            times.append(waited(order))

    coming = [threading.Thread(target=come) for _ in range(4)]
    waiting = [threading.Thread(target=wait) for _ in range(4)]
    for thread in (*coming, *waiting):
        thread.start()
    for thread in waiting:
        thread.join(10)
    stop.set()
    for thread in coming:
        thread.join(10)
    assert len(times) == 8
    assert max(times) < 0.6
    assert waited(order) < 0.1


async def receive() -> Message:
    return {"type": "http.request"}


def called(app: YoungRequests, scope: Scope = HTTP) -> list[int]:
    """How many are young just behind each message."""
    seen: list[int] = []

    async def send(message: Message) -> None:
        seen.append(len(PRECEDENCE._begun))

    asyncio.run(app(scope, receive, send))
    return seen


def test_a_request_is_young_until_its_answer_has_begun() -> None:
    after: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in ("start", "body", "body"):
            await send({"type": f"http.response.{message}"})
            after.append(len(PRECEDENCE._begun))

    assert called(YoungRequests(app)) == [1, 1, 0]
    assert after == [1, 0, 0]


@pytest.mark.parametrize("sent", [[], ["start"], ["start", "body"]])
def test_a_request_that_fails(sent: list[str]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in sent:
            await send({"type": f"http.response.{message}"})
        raise KeyError

    with pytest.raises(KeyError):
        called(YoungRequests(app))


def test_a_client_that_is_gone_before_the_first_octet() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.body"})

    async def send(message: Message) -> None:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011  as bare as a socket raises it
        asyncio.run(YoungRequests(app)(HTTP, receive, send))


def test_a_request_that_is_cancelled() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(YoungRequests(app)(HTTP, receive, receive))
        await asyncio.sleep(0.01)
        assert len(PRECEDENCE._begun) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_only_requests_are_young() -> None:
    """Not the life of the server, which would keep everybody looking for somebody young."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert not PRECEDENCE._begun

    called(YoungRequests(app), {"type": "lifespan"})
