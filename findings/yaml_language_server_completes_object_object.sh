#!/usr/bin/env bash
# yaml-language-server completes a list of mappings with the text [object Object].
#
# Input:    a schema whose property `rows` is a list of objects with the example
#           [{"Name": "Acme"}]; completion after `rows: `.
# Expected: the example as YAML, `- Name: Acme`, as hover shows it and as completion inserts an
#           example that is a mapping.
# Seen:     the text to insert is a list item `[object Object]`, which is valid YAML of another
#           shape: a list in a list.
# Version:  yaml-language-server 1.19.2 on node 22.
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit node@22 yaml-language-server@1.19.2 >/dev/null
cat > schema.json <<'JSON'
{
  "type": "object",
  "properties": {
    "rows": {"type": "array", "items": {"type": "object"}, "examples": [[{"Name": "Acme"}]]}
  }
}
JSON
cat > drive.js <<'JS'
const { spawn } = require("child_process");
const server = spawn(process.execPath, [
  "node_modules/yaml-language-server/bin/yaml-language-server", "--stdio",
]);
const send = (message) => {
  const text = JSON.stringify({ jsonrpc: "2.0", ...message });
  server.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
};
const uri = `file://${process.cwd()}/job.yaml`;
const text = "# yaml-language-server: $schema=schema.json\nrows: ";
let buffer = Buffer.alloc(0);
server.stdout.on("data", (data) => {
  buffer = Buffer.concat([buffer, data]);
  for (;;) {
    const end = buffer.indexOf("\r\n\r\n");
    if (end < 0) return;
    const size = Number(/content-length: (\d+)/i.exec(buffer.subarray(0, end).toString())[1]);
    if (buffer.length < end + 4 + size) return;
    const message = JSON.parse(buffer.subarray(end + 4, end + 4 + size).toString());
    buffer = buffer.subarray(end + 4 + size);
    answer(message);
  }
});
function answer(message) {
  if (message.id === 1) {
    send({ method: "initialized", params: {} });
    const document = { uri, languageId: "yaml", version: 1, text };
    send({ method: "textDocument/didOpen", params: { textDocument: document } });
    const position = { line: 1, character: 6 };
    send({ id: 2, method: "textDocument/completion", params: { textDocument: { uri }, position } });
  } else if (message.id === 2) {
    const texts = message.result.items.map((item) => item.insertText);
    console.log("yaml-language-server 1.19.2 inserts:", JSON.stringify(texts));
    server.kill();
    process.exit(texts.some((each) => each.includes("[object Object]")) ? 0 : 1);
  } else if (message.method && message.id !== undefined) {
    send({ id: message.id, result: (message.params.items || []).map(() => ({})) });
  }
}
const snippets = { completion: { completionItem: { snippetSupport: true } } };
send({
  id: 1, method: "initialize",
  params: { processId: null, rootUri: null, capabilities: { textDocument: snippets } },
});
setTimeout(() => process.exit(1), 30000);
JS
node_modules/.bin/node drive.js
