"""A proxy between the command and the local org that changes what passes through it."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

_HOP = {"content-length", "transfer-encoding", "connection", "content-encoding", "date", "server"}


@dataclass
class Passing:
    """An answer on its way; `change` may replace any member."""

    method: str
    path: str
    status: int
    headers: dict
    body: bytes


@dataclass
class Proxy:
    """Forwards to an org.

    `change(passing)` may change an answer in place; `drops(method, path)` may have a request
    dropped, before the org sees it.
    """

    org: object
    change: object = lambda _: None
    drops: object = lambda _method, _path: False
    passed: list = field(default_factory=list)
    """What was asked, `METHOD path`, in order."""

    def __post_init__(self):
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    body = b"".join(iter(self._chunk, b""))
                if proxy.drops(self.command, self.path):
                    self.close_connection = True
                    return
                headers = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() not in _HOP | {"host", "accept-encoding"}
                }
                answer = proxy.client.request(
                    self.command, proxy.org.url + self.path, headers=headers, content=body
                )
                kept = {n: v for n, v in answer.headers.items() if n.lower() not in _HOP}
                text = answer.content.replace(proxy.org.url.encode(), proxy.url.encode())
                passing = Passing(self.command, self.path, answer.status_code, kept, text)
                proxy.passed.append(f"{self.command} {self.path}")
                proxy.change(passing)
                headers = "".join(f"{name}: {value}\r\n" for name, value in passing.headers.items())
                if passing.status != 204:
                    headers += f"Content-Length: {len(passing.body)}\r\n"
                start = f"HTTP/1.1 {passing.status} -\r\n{headers}\r\n".encode("latin-1")
                proxy.sent(self, passing, start + passing.body)

            def _chunk(self):
                size = int(self.rfile.readline().partition(b";")[0], 16)
                data = self.rfile.read(size)
                self.rfile.readline()
                return data

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - their names

            def log_message(self, *_args):
                pass

        self.client = httpx.Client(timeout=60, headers={"Accept-Encoding": "identity"})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def sent(self, handler, _passing, data):
        """Send an answer on."""
        handler.wfile.write(data)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.client.close()

    @property
    def connection(self):
        """For a job, whose environment has the token in T."""
        return f"{{environment: local, url: '{self.url}', token: {{env: T}}}}"
