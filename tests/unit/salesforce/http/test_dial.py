"""A host with several addresses: one that does not answer delays the others, no more."""

import socket

import pytest

from runner.errors import AbortedError, ExitCode
from runner.lanes import Background
from runner.salesforce.http.dial import dial
from runner.salesforce.http.waits import time_limit
from tests.unit.salesforce.http.wire import silent


@pytest.fixture
def answering():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def addresses(monkeypatch):
    """Give a host these ports on loopback as its addresses."""

    def give(*ports):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    return give


def port_of(link):
    with link:
        return link.getpeername()[1]


def test_an_address_that_refuses_is_passed_over(addresses, closed, answering):
    addresses(closed, answering)
    assert port_of(dial("host", 1, 5.0)) == answering


def test_an_address_that_is_silent_is_passed_over(addresses, answering):
    with silent() as port, time_limit(5.0):
        addresses(port, port, answering)
        with dial("host", 1, 60.0) as link:
            assert link.getpeername()[1] == answering


def test_a_family_that_is_not_known_here_is_passed_over(monkeypatch, answering):
    found = [
        (255, socket.SOCK_STREAM, 6, "", ("127.0.0.1", answering)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("255.255.255.255", answering)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", answering)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert port_of(dial("host", 1, 5.0)) == answering


def test_the_last_refusal_is_told(addresses, closed):
    addresses(closed, closed)
    with pytest.raises(OSError, match="refused"):
        dial("host", 1, 5.0)


def test_all_addresses_together_have_the_time_that_is_left(addresses):
    with silent() as port:
        addresses(*[port] * 200)
        with pytest.raises(TimeoutError), time_limit(0.3):
            dial("host", 1, 60.0)


def test_a_stop_ends_a_connect(addresses):
    with silent() as port:
        addresses(port)
        work = Background(lambda: dial("host", 1, 5.0))
        work.stop(ExitCode.INTERRUPTED)
        with pytest.raises(AbortedError):
            work.result()
