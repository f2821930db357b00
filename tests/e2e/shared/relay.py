"""Passes bytes on from one address to another, and can be cut: `relay.py FROM TO`.

An address is `HOST:PORT` (port 0: a free one) or the path of a Unix socket. Says the port once it
listens.
"""

import socket
import sys
import threading
from contextlib import suppress


def opened(address):
    """A socket, and what to bind it to or to connect it with."""
    if "/" in address:
        return socket.socket(socket.AF_UNIX), address
    host, _, port = address.rpartition(":")
    return socket.socket(), (host, int(port))


class Relay:
    """A relay on threads of this process."""

    def __init__(self, listen, target):
        self._target = target
        self._open = []
        self._listen = listen
        self._listener = None
        self.port = None
        self.restore()

    def restore(self):
        """Listen, again on the same port."""
        self._listener, where = opened(self._listen)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if isinstance(where, tuple):
            self._listener.bind((where[0], self.port or where[1]))
            self.port = self._listener.getsockname()[1]
        else:
            self._listener.bind(where)
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self):
        """End all connections, and take no more."""
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def _accept(self, listener):
        with suppress(OSError):
            while True:
                here, _ = listener.accept()
                there, where = opened(self._target)
                there.connect(where)
                self._open += [here, there]
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=pass_on, args=pair, daemon=True).start()


def pass_on(source, sink):
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    print(Relay(*sys.argv[1:]).port, flush=True)  # noqa: T201 - the parent waits for it
    sys.stdin.read()
