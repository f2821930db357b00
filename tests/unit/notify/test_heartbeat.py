"""Pings arrive in their order; one that fails is reported, and ends nothing."""

import pytest

from runner.credentials import SecretReference
from runner.notify.heartbeat import Heartbeat


@pytest.fixture
def beat(monkeypatch):
    """Ping the start and the end of a run at a URL; what was said of it."""

    def work(url, *, is_done=True, timeout=5.0):
        monkeypatch.setenv("BEAT", url)
        said = []
        heartbeat = Heartbeat(SecretReference(env="BEAT"), said.append, timeout)
        heartbeat.start()
        heartbeat.start()
        heartbeat.end("what happened", is_done=is_done)
        heartbeat.finish()
        return said

    return work


@pytest.mark.parametrize(
    ("url", "is_done", "paths"),
    [
        ("/ping/1", True, ["/ping/1/start", "/ping/1"]),
        ("/ping/1/", False, ["/ping/1/start", "/ping/1/fail"]),
        ("/ping?a=1", False, ["/ping/start?a=1", "/ping/fail?a=1"]),
        ("", False, ["/start", "/fail"]),
    ],
)
def test_pings_are_as_healthchecks_describes_them(beat, web, url, is_done, paths):
    assert beat(web.url + url, is_done=is_done) == []
    assert [each.path for each in web.got] == paths
    assert [each.body.decode() for each in web.got] == ["", "what happened"]


def test_a_ping_that_fails_is_reported_once_without_its_url(beat, web, silent):
    web.status = 404
    assert beat(f"{web.url}/ping/secretid") == ["the heartbeat was not sent: it answered 404."]
    (said,) = beat(silent, timeout=0.2)
    assert "timed out" in said
    assert "/hook" not in said
    (said,) = beat("")
    assert said.startswith("the heartbeat was not sent: The environment variable BEAT")
