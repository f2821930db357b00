#!/usr/bin/env bash
# Apprise reports a message as sent that a redirect has lost.
#
# Input:    a notification to a json:// URL whose server answers the POST with 302 to a page, as a
#           proxy or an expired session does. The page answers a GET with 200.
# Expected: notify() gives False: nobody has got the message.
# Seen:     the redirect is followed as a GET without a body, and notify() gives True. With
#           `?redirect=no` in the URL it gives False.
# Version:  apprise 2.3.0, requests 2.32.5, Python 3.11.
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q apprise==2.3.0 requests==2.32.5
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import apprise

got = []


class Answers(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        got.append(("POST", self.path, len(body) > 0))
        self.send_response(302)
        self.send_header("Location", "/login")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        got.append(("GET", self.path, False))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Answers)
Thread(target=server.serve_forever, daemon=True).start()
url = f"json://127.0.0.1:{server.server_port}/hook"
sent = apprise.Apprise.instantiate(url).notify(title="night", body="the run failed")
followed = list(got)
not_followed = apprise.Apprise.instantiate(f"{url}?redirect=no").notify(body="the run failed")
server.shutdown()
print("apprise", apprise.__version__, "sent:", sent, followed, "with redirect=no:", not_followed)
expected = [("POST", "/hook", True), ("GET", "/login", False)]
sys.exit((sent, followed, not_followed) != (True, expected, False))
PYTHON
