"""Local orgs that other runs still use are reaped once they have ended."""

from runner.runs import local_org_process


class Server:
    """As much of a process as is asked for; another run may leave one during that."""

    def __init__(self, ended, leaves=()):
        self._ended = ended
        self._leaves = leaves

    def poll(self):
        local_org_process._left.update(self._leaves)  # noqa: SLF001 - what another thread does
        return self._ended


def test_a_server_that_another_thread_leaves_meanwhile_is_kept(monkeypatch):
    late = Server(None)
    running = Server(None)
    monkeypatch.setattr(local_org_process, "_left", {running, Server(0, leaves=[late])})
    local_org_process._reap()  # noqa: SLF001 - runs that start and end side by side call it
    assert local_org_process._left == {running, late}  # noqa: SLF001
