"""A client of yaml-language-server, which editors use: it speaks the language server protocol.

It opens one text at a time, with one schema for every file.
"""

import json
import subprocess
from itertools import count

CAPABILITIES = {
    "textDocument": {
        "completion": {
            "completionItem": {
                "snippetSupport": True,
                "documentationFormat": ["markdown", "plaintext"],
            }
        },
        "hover": {"contentFormat": ["markdown", "plaintext"]},
    },
    "workspace": {"configuration": True},
}


class YamlLanguageServer:
    """A server process; `with` ends it."""

    def __init__(self, node, script, schema):
        self._settings = {
            "yaml": {
                "validate": True,
                "completion": True,
                "hover": True,
                "schemas": {schema.as_uri(): "*.yaml"},
                "schemaStore": {"enable": False},
            }
        }
        self._process = subprocess.Popen(
            [node, script, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._numbers = count(1)
        self._request("initialize", processId=None, rootUri=None, capabilities=CAPABILITIES)
        self._notify("initialized")
        self._notify("workspace/didChangeConfiguration", settings=self._settings)
        while not self.problems("not_a_key: 1\n"):
            pass  # it has not read its settings or the schema yet

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def problems(self, text):
        """Messages of a text, each with the line on which it is, from 1."""
        (found,) = self.problems_of([text])
        return found

    def problems_of(self, texts):
        """Messages of each text; the server waits a while before it checks one, of all at once."""
        uris = [self._open(text) for text in texts]
        found = {}
        while len(found) < len(uris):
            message = self._read()
            told = message.get("params", {})
            if message.get("method") == "textDocument/publishDiagnostics" and told["uri"] in uris:
                found[told["uri"]] = [
                    (each["range"]["start"]["line"] + 1, each["message"])
                    for each in told["diagnostics"]
                ]
        return [found[uri] for uri in uris]

    def completions(self, text):
        """What is offered at the `|` in a text: texts to insert by label."""
        uri, position = self._at_bar(text)
        answer = self._request(
            "textDocument/completion", textDocument={"uri": uri}, position=position
        )
        items = answer["items"] if isinstance(answer, dict) else answer or []
        return {
            item["label"]: (item.get("textEdit") or {}).get("newText") or item.get("insertText")
            for item in items
        }

    def hover(self, text):
        """What is shown at the `|` in a text."""
        uri, position = self._at_bar(text)
        answer = self._request("textDocument/hover", textDocument={"uri": uri}, position=position)
        return answer["contents"]["value"] if answer else ""

    def _at_bar(self, text):
        before, after = text.split("|", 1)
        lines = before.split("\n")
        return self._open(before + after), {"line": len(lines) - 1, "character": len(lines[-1])}

    def _open(self, text):
        uri = f"file:///jobs/{next(self._numbers)}.yaml"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._notify("textDocument/didOpen", textDocument=document)
        return uri

    def _request(self, method, **params):
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._read()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def _notify(self, method, **params):
        self._send({"method": method, "params": params})

    def _send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _read(self):
        """The next message; the server's own questions are answered on the way."""
        length = 0
        while (line := self._process.stdout.readline()) != b"\r\n":
            assert line, "yaml-language-server has ended"
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message = json.loads(self._process.stdout.read(length))
        if "method" in message and "id" in message:
            self._send({"id": message["id"], "result": self._answer(message)})
        return message

    def _answer(self, message):
        if message["method"] != "workspace/configuration":
            return None
        sections = (item.get("section") for item in message["params"]["items"])
        return [self._settings.get(section) for section in sections]
