"""A server on a socket that answers with bytes as they are."""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from threading import Semaphore

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def server(*connections, context=None, notify=True):
    """Answer on each connection in turn: with some bytes for each request, then hang up.

    Gives the URL and a future of the heads of the requests; its `hung_up` is released whenever a
    connection has been closed. With TLS, `notify` says whether it ends as it should.
    """
    hung_up = Semaphore(0)

    def serve(listener):
        heads = []
        for answers in connections:
            link, _ = listener.accept()
            link.settimeout(20)
            if context is not None:
                try:
                    link = context.wrap_socket(link, server_side=True)
                except OSError:
                    link.close()
                    continue
            with link, suppress(OSError):
                for answer in answers:
                    head = b""
                    while b"\r\n\r\n" not in head and (piece := link.recv(65536)):
                        head += piece
                    heads.append(head)
                    link.sendall(answer)
                if context is not None and notify:
                    link.settimeout(0)
                    link.unwrap()  # does not wait for the other's end
            hung_up.release()
        return heads

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(20)  # a test that has failed asks for nothing
        scheme = "http" if context is None else "https"
        heads = pool.submit(serve, listener)
        heads.hung_up = hung_up
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", heads


@contextmanager
def silent():
    """A port on loopback that neither takes nor refuses connections, as behind a firewall."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # its queue is full
            link = stack.enter_context(socket.socket())
            link.settimeout(0)
            with suppress(BlockingIOError):
                link.connect(listener.getsockname())
        yield listener.getsockname()[1]
