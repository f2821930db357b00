#!/usr/bin/env bash
# jsforce's soap.merge() does not ask the org to empty a field whose value is null.
#
# Input:    the same record with `Phone: null` through conn.soap.update() and, as the master,
#           through conn.soap.merge(); a server on this machine answers and keeps what was sent.
# Expected: both name the field in <fieldsToNull>, the only way in which Salesforce's partner API
#           empties a field (SOAP API Developer Guide, sObject, "fieldsToNull").
# Seen:     only the update does. The merge sends <Phone xsi:nil="true"></Phone>, so the master
#           keeps its value and the result is a success. A caller has to write
#           masterRecord: {type, fieldsToNull: ["Phone"], Id}, in this order.
# Version:  @jsforce/jsforce-node 3.12.0, Node 22.23.3.
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit --prefix . @jsforce/jsforce-node@3.12.0 node@22.23.3
cat >judge.cjs <<'NODE'
const http = require("node:http");
const jsforce = require("@jsforce/jsforce-node");
const sent = {};
const server = http.createServer((request, response) => {
  let body = "";
  request.on("data", (piece) => (body += piece)).on("end", () => {
    const call = body.includes("<merge>") ? "merge" : "update";
    sent[call] = body;
    response.writeHead(200, { "Content-Type": "text/xml" });
    response.end(`<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>
      <${call}Response><result><id>001000000000001AAA</id><success>true</success></result></${call}Response>
      </e:Body></e:Envelope>`);
  });
});
server.listen(0, "127.0.0.1", async () => {
  const instanceUrl = `http://127.0.0.1:${server.address().port}`;
  const conn = new jsforce.Connection({ instanceUrl, accessToken: "00D!token" });
  const record = { type: "Account", Id: "001000000000001AAA", Phone: null };
  await conn.soap.update([record]);
  await conn.soap.merge({ masterRecord: record, recordToMergeIds: ["001000000000002AAA"] });
  const named = ["update", "merge"].map((call) => sent[call].includes("<fieldsToNull>Phone</fieldsToNull>"));
  console.log("update names it:", named[0], "merge names it:", named[1]);
  console.log(sent.merge.match(/<masterRecord>.*<\/masterRecord>/s)[0]);
  server.close();
  process.exit(JSON.stringify(named) === "[true,false]" ? 0 : 1);
});
NODE
./node_modules/.bin/node judge.cjs
