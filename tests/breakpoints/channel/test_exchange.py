"""Driver and workers: who talks to whom, and what becomes of it when something fails."""

import logging
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from bigdebug.breakpoints.channel import link as link_module
from bigdebug.breakpoints.channel.exchange import Exchange
from bigdebug.breakpoints.channel.link import Link
from bigdebug.breakpoints.channel.wire import MOST_BYTES, RefusedError, called
from tests.soon import soon


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    found = Exchange("127.0.0.1")
    yield found
    found.shut()


def test_it_listens_only_while_somebody_uses_it(exchange: Exchange) -> None:
    assert not exchange.listening
    with exchange:
        host, port, _ = exchange.address
        with exchange:
            pass
        assert exchange.listening
        socket.create_connection((host, port), 2).close()
    assert not exchange.listening
    with pytest.raises(ConnectionError):
        socket.create_connection((host, port), 2)


def test_a_worker_tells_and_asks_and_is_told(exchange: Exchange) -> None:
    heard: list[tuple[object, bytes]] = []
    exchange.on("note", lambda header, body: heard.append((header["n"], body)))
    exchange.on("question", lambda header, body: ({"twice": header["n"] * 2}, body[::-1]))
    with exchange:
        exchange.publish("guard", {"version": 1}, b"old")
        exchange.publish("guard", {"version": 2}, b"new")
        link = Link(exchange.address)
        assert link.send("note", {"n": 1}, b"early")  # before the connection stands
        answer = link.ask("question", {"n": 21}, b"abc", seconds=5)
        assert answer is not None
        assert (answer[0]["twice"], answer[1]) == (42, b"cba")
        assert soon(lambda: heard == [(1, b"early")])
        assert link.latest("guard")[1] == b"new"
        exchange.publish("guard", {"version": 3}, b"newest")
        assert soon(lambda: link.latest("guard")[1] == b"newest")
        exchange.withdraw("guard")
        assert soon(lambda: link.latest("guard") is None)


def test_who_does_not_know_the_key_is_refused_and_that_is_logged(
    exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[object] = []
    exchange.on("note", lambda header, body: heard.append(header))
    with exchange, caplog.at_level(logging.WARNING, "bigdebug"):
        host, port, _ = exchange.address
        with pytest.raises((RefusedError, OSError)):
            called(host, port, b"x" * 32)
        link = Link((host, port, b"x" * 32))
        assert link.ask("note", {}, seconds=1) is None
        assert soon(lambda: "refused" in caplog.text)
        assert not link.connected
    assert heard == []


def test_a_stranger_that_answers_in_the_drivers_place_is_found_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        import threading

        def pretend() -> None:
            connection, _ = server.accept()
            connection.sendall(b"bigdebug 1\n" + bytes(32))
            connection.recv(64)
            connection.sendall(bytes(32))

        threading.Thread(target=pretend, daemon=True).start()
        with pytest.raises(RefusedError):
            called("127.0.0.1", server.getsockname()[1], b"k" * 32)


def test_a_message_that_was_changed_ends_the_connection(exchange: Exchange) -> None:
    with exchange:
        wire = called(*exchange.address)
        wire._sent = 7  # as if messages had been left out
        wire.send({"topic": "note"})
        with pytest.raises(ConnectionError):
            wire.receive()


def test_a_message_that_is_too_large_is_not_sent(exchange: Exchange) -> None:
    exchange.on("question", lambda header, body: ({}, b""))
    with exchange:
        link = Link(exchange.address)
        assert link.ask("question", {}, bytes(MOST_BYTES + 1), seconds=2) is None
        assert link.ask("question", {}, seconds=2) is not None  # the connection is as good as before


def test_a_worker_goes_on_without_the_driver(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not of its module: where a guard was unpickled in this process, the class has functions that came along.
    monkeypatch.setitem(Link._run.__globals__, "_AGAIN_SECONDS", (0.05, 0.1))
    exchange.open()
    exchange.publish("guard", {}, b"last")
    link = Link(exchange.address)
    assert soon(lambda: link.latest("guard"))
    exchange.shut()  # as when the driver's listener breaks in the middle of a job
    assert soon(lambda: not link.connected)
    began = time.monotonic()
    assert link.ask("question", {}, seconds=30) is None
    assert time.monotonic() - began < 25
    assert link.latest("guard")[1] == b"last"
    assert soon(lambda: not link.send("note", {}))


def test_a_question_nobody_answers_has_its_time(exchange: Exchange) -> None:
    given_up = threading.Event()
    exchange.on("slow", lambda header, body: given_up.wait(60) and ({}, b""))
    with exchange:
        link = Link(exchange.address)
        assert link.ask("slow", {}, seconds=0.3) is None
        assert not given_up.is_set()
        given_up.set()
        assert link.ask("unknown", {}, seconds=5) is None


def test_a_handler_that_raises_ends_nothing(exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    exchange.on("bad", lambda header, body: 1 // 0)
    exchange.on("good", lambda header, body: ({"fine": True}, b""))
    with exchange:
        link = Link(exchange.address)
        assert link.ask("bad", {}, seconds=5) is None
        assert link.ask("good", {}, seconds=5) is not None
    assert "wasn't understood" in caplog.text


def test_its_workers_end_needs_nothing_but_python() -> None:
    """Pickled by value, it runs where there is no bigdebug."""
    from pyspark import cloudpickle

    from bigdebug.breakpoints.channel.travelling import MODULES
    from bigdebug.lineage.rdd.travelling import travelling

    with travelling(*MODULES):
        data = cloudpickle.dumps(lambda address: link_module.link_to(address).ask("hi", {}, seconds=5))
    exchange = Exchange("127.0.0.1")
    exchange.on("hi", lambda header, body: ({"there": 1}, b""))
    with exchange:
        code = (
            "import sys, pickle\n"
            "sys.modules['bigdebug'] = None\n"
            f"print(pickle.loads({data!r})({exchange.address!r})[0]['there'])\n"
        )
        assert pickle.loads(data)(exchange.address) is not None
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "1\n", ran.stderr
