#!/usr/bin/env bash
# httpx returns the first member of a gzip body and drops the rest without an error.
#
# Input:    a CSV body of two gzip members, which RFC 1952 (section 2.2) allows: `cat a.gz b.gz`, and
#           what servers send that compress a result piece by piece. Content-Length matches.
# Expected: the text of both members, as gzip, zcat and urllib3 give it.
# Seen:     httpx gives the rows of the first member only; status 200, no error. A Bulk API result
#           page read this way loses rows that nothing misses.
# Version:  httpx 0.28.1 and urllib3 2.5.0, Python 3.11 (the oldest version tried).
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q httpx==0.28.1 urllib3==2.5.0
"$folder/venv/bin/python" - <<'PYTHON'
import gzip
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import urllib3

FIRST, SECOND = b"Id,Name\n1,Acme\n", b"2,Globex\n"
BODY = gzip.compress(FIRST) + gzip.compress(SECOND)


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Answers)
Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
by_httpx = httpx.get(url).content
by_urllib3 = urllib3.request("GET", url).data
server.shutdown()
print("httpx", httpx.__version__, by_httpx)
print("urllib3", urllib3.__version__, by_urllib3)
sys.exit((by_httpx, by_urllib3) != (FIRST, FIRST + SECOND))
PYTHON
