// What jsforce does against the local org; prints what went wrong in which of the scenarios named:
//   NODE_PATH=…/node_modules ORG_URL=… ORG_TOKEN=… node jsforce_scenarios.cjs crud query
// TAG marks a scenario's own records, since the org is shared and never emptied.
"use strict";
const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const jsforce = require("@jsforce/jsforce-node");

const { ORG_URL, ORG_TOKEN } = process.env;
let TAG;
const PAGES_OF_200 = { "Sforce-Query-Options": "batchSize=200" };
const AT_ONCE = { pollInterval: 50, pollTimeout: 60_000 };

// Plain http needs no setting: addresses are built from instanceUrl.
const connect = () =>
  new jsforce.Connection({ instanceUrl: ORG_URL, accessToken: ORG_TOKEN, version: "60.0" });

const contacts = (count, more = {}) =>
  Array.from({ length: count }, (_, n) => ({
    LastName: `${TAG} ${String(n).padStart(4, "0")}`,
    ERP_Id__c: `${TAG}-${n}`,
    ...more,
  }));

// What a person in a browser does: log in, approve, and be sent to the callback.
async function approve(authorizeUrl) {
  const press = (step) =>
    fetch(authorizeUrl, {
      method: "POST",
      redirect: "manual",
      body: new URLSearchParams({ step, username: "admin@local.example" }),
    });
  assert.match(await (await press("login")).text(), /id="approve"/);
  const answer = await press("approve");
  assert.equal(answer.status, 302);
  return new URL(answer.headers.get("location")).searchParams;
}

const scenarios = {
  async token() {
    const conn = connect();
    const me = await conn.identity();
    assert.match(me.user_id, /^005/);
    assert.match(me.organization_id, /^00D/);
    assert.equal(conn.userInfo.organizationId, me.organization_id);
    assert.ok((await conn.limits()).DailyApiRequests.Max > 0);
    assert.ok(conn.limitInfo.apiUsage.limit > 0);
    const ended = new jsforce.Connection({ instanceUrl: ORG_URL, accessToken: "00D!spent" });
    await assert.rejects(ended.query("SELECT Id FROM Account"), { errorCode: "INVALID_SESSION_ID" });
  },

  async web_server_flow() {
    const oauth2 = new jsforce.OAuth2({
      loginUrl: ORG_URL,
      clientId: "3MVG9jsforce",
      redirectUri: "http://localhost:1717/callback",
      useVerifier: true,
    });
    const back = await approve(oauth2.getAuthorizationUrl({ scope: "api refresh_token", state: TAG }));
    assert.equal(back.get("state"), TAG);
    const conn = new jsforce.Connection({ oauth2, version: "60.0" });
    const userInfo = await conn.authorize(back.get("code"));
    assert.equal(conn.instanceUrl, ORG_URL);
    assert.equal((await conn.identity()).user_id, userInfo.id);
    // The code is spent now.
    await assert.rejects(new jsforce.Connection({ oauth2 }).authorize(back.get("code")), {
      name: "invalid_grant",
    });
    // A session that has ended is renewed by the refresh token, and the request is sent again.
    const refreshed = new Promise((resolve) => conn.once("refresh", resolve));
    conn.accessToken = "00D000000000001!spent";
    assert.equal((await conn.query("SELECT Id FROM User LIMIT 1")).totalSize, 1);
    assert.equal(await refreshed, conn.accessToken);
    // Signing out revokes the token at the org.
    const last = conn.accessToken;
    await conn.logout();
    const after = new jsforce.Connection({ instanceUrl: ORG_URL, accessToken: last });
    await assert.rejects(after.query("SELECT Id FROM User"), { errorCode: "INVALID_SESSION_ID" });
  },

  async crud() {
    const conn = connect();
    const account = conn.sobject("Account");
    const made = await account.create({ Name: TAG, Active__c: true, Score__c: 1.5 });
    assert.deepEqual(made, { id: made.id, success: true, errors: [] });
    const read = await account.retrieve(made.id);
    assert.equal(read.attributes.type, "Account");
    assert.deepEqual([read.Name, read.Active__c, read.Score__c], [TAG, true, 1.5]);
    assert.ok((await account.update({ Id: made.id, Name: `${TAG} Ltd`, Score__c: null })).success);
    assert.equal((await account.findOne({ Id: made.id }, "Name, Score__c")).Score__c, null);
    assert.ok((await account.destroy(made.id)).success);
    await assert.rejects(account.retrieve(made.id), { errorCode: "NOT_FOUND" });
    await assert.rejects(account.create({ Industry: "Retail" }), {
      errorCode: "REQUIRED_FIELD_MISSING",
      data: { message: "Required fields are missing: [Name]", errorCode: "REQUIRED_FIELD_MISSING", fields: ["Name"] },
    });
    const now = Date.now();
    const day = 24 * 3600 * 1000;
    const gone = await account.deleted(new Date(now - day), new Date(now + day));
    assert.ok(gone.deletedRecords.some(({ id }) => id === made.id));
  },

  // jsforce has no call for it, but the means to make any call of SOAP.
  async soap_undelete() {
    const { SOAP } = require("@jsforce/jsforce-node/lib/soap");
    const conn = connect();
    const endpointUrl = `${ORG_URL}/services/Soap/u/60.0`;
    const undelete = (ids, by = conn) => new SOAP(by, { endpointUrl }).invoke("undelete", { ids });
    const account = conn.sobject("Account");
    const made = await account.create([{ Name: `${TAG} 1` }, { Name: `${TAG} 2` }]);
    const ids = made.map(({ id }) => id);
    await account.destroy(ids[0]);
    const { result } = await undelete(ids);
    assert.deepEqual(result.map(({ id, success }) => [id, success]), [
      [ids[0], "true"],
      [ids[1], "false"],
    ]);
    assert.equal(result[1].errors.statusCode, "UNDELETE_FAILED");
    assert.equal((await account.retrieve(ids[0])).Name, `${TAG} 1`);
    const spent = new jsforce.Connection({ instanceUrl: ORG_URL, accessToken: "00D!spent" });
    await assert.rejects(undelete(ids, spent), { errorCode: "sf:INVALID_SESSION_ID" });
    await assert.rejects(undelete(Array(201).fill(ids[0])), { errorCode: "sf:EXCEEDED_ID_LIMIT" });
  },

  async soap_merge() {
    const conn = connect();
    const account = conn.sobject("Account");
    const made = await account.create(["M", "L", "N"].map((name) => ({ Name: `${TAG} ${name}`, Site: TAG })));
    const [master, ...losers] = made.map(({ id }) => id);
    const { id: child } = await conn.sobject("Contact").create({ LastName: TAG, AccountId: losers[1] });
    const request = (fields, ids) => ({ masterRecord: { type: "Account", ...fields, Id: master }, recordToMergeIds: ids });
    const done = await conn.soap.merge(request({ fieldsToNull: ["Site"], Phone: "1 & 2" }, losers));
    assert.deepEqual([done.success, done.id, done.mergedRecordIds], [true, master, losers]);
    assert.deepEqual(done.updatedRelatedIds, [child]);
    const left = await account.retrieve(master);
    assert.deepEqual([left.Phone, left.Site], ["1 & 2", null]);
    const gone = await conn.query(`SELECT Id, MasterRecordId FROM Account WHERE Id IN ('${losers.join("','")}')`, { scanAll: true });
    assert.deepEqual(gone.records.map((each) => each.MasterRecordId), [master, master]);
    const now = new Date();
    const deleted = await account.deleted(new Date(now - 864e5), new Date(+now + 864e5));
    for (const id of losers) assert.ok(deleted.deletedRecords.some((each) => each.id === id));
    const [again] = await conn.soap.merge([request({}, [losers[0]])]);
    assert.deepEqual([again.success, again.errors[0].statusCode], [false, "ENTITY_IS_DELETED"]);
  },

  async upsert() {
    const contact = connect().sobject("Contact");
    const row = { ERP_Id__c: TAG, LastName: TAG };
    const made = await contact.upsert(row, "ERP_Id__c");
    assert.deepEqual(made, { id: made.id, success: true, errors: [], created: true });
    const again = await contact.upsert({ ...row, FirstName: "Ann" }, "ERP_Id__c");
    assert.equal(again.created, false);
    assert.equal((await contact.findOne({ ERP_Id__c: TAG })).Name, `Ann ${TAG}`);
    const many = await contact.upsert([row, { ERP_Id__c: `${TAG}-2`, LastName: TAG }], "ERP_Id__c");
    assert.deepEqual(many.map(({ success, created }) => [success, created]), [[true, false], [true, true]]);
    const rows = [{ ...row, FirstName: "Bob" }, { ERP_Id__c: `${TAG}-3` }];
    const together = await contact.upsert(rows, "ERP_Id__c", { allOrNone: true });
    assert.deepEqual(together.map(({ success }) => success), [false, false]);
    assert.equal((await contact.findOne({ ERP_Id__c: TAG })).Name, `Ann ${TAG}`);
  },

  async query() {
    const conn = connect();
    await conn.create("Contact", contacts(450), { allowRecursive: true });
    const where = `WHERE LastName LIKE '${TAG}%' ORDER BY LastName`;
    const soql = `SELECT LastName, Account.Name FROM Contact ${where}`;
    const first = await conn.query(soql, { headers: PAGES_OF_200 });
    assert.deepEqual([first.totalSize, first.done, first.records.length], [450, false, 200]);
    const second = await conn.queryMore(first.nextRecordsUrl);
    assert.equal(second.records[0].LastName, `${TAG} 0200`);

    const all = await conn.query(soql, { autoFetch: true, maxFetch: 1000, headers: PAGES_OF_200 });
    assert.deepEqual([all.done, all.records.length], [true, 450]);
    assert.equal(new Set(all.records.map((each) => each.LastName)).size, 450);
    const some = await conn.query(soql, { autoFetch: true, maxFetch: 300, headers: PAGES_OF_200 });
    assert.equal(some.records.length, 300);

    const found = conn.sobject("Contact").find({ LastName: { $like: `${TAG}%` } }, ["Id", "LastName"]);
    assert.equal((await found.sort({ LastName: -1 }).limit(5).skip(2))[0].LastName, `${TAG} 0447`);
    assert.equal(await conn.sobject("Contact").count({ LastName: { $like: `${TAG}%` } }), 450);
    await assert.rejects(conn.query("SELECT Nmae FROM Contact"), { errorCode: "INVALID_FIELD" });
  },

  async subquery() {
    const conn = connect();
    const { id } = await conn.create("Account", { Name: TAG });
    await conn.create("Contact", contacts(250, { AccountId: id }), { allowRecursive: true });
    const soql = `SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Id = '${id}'`;
    const { records } = await conn.query(soql, { autoFetch: true, headers: PAGES_OF_200 });
    assert.equal(records[0].Contacts.totalSize, 250);
    assert.equal(new Set(records[0].Contacts.records.map((each) => each.LastName)).size, 250);
  },

  async describe() {
    const conn = connect();
    const names = (await conn.describeGlobal()).sobjects.map(({ name }) => name);
    assert.ok(names.includes("Invoice__c") && names.includes("Contact"));
    const told = await conn.sobject("Invoice__c").describe();
    const amount = told.fields.find(({ name }) => name === "Amount__c");
    assert.deepEqual([amount.type, amount.precision, amount.scale], ["currency", 16, 2]);
  },

  async collections() {
    const conn = connect();
    const rows = contacts(3);
    delete rows[1].LastName;
    const made = await conn.create("Contact", rows);
    assert.deepEqual(made.map(({ success }) => success), [true, false, true]);
    assert.equal(made[1].errors[0].statusCode, "REQUIRED_FIELD_MISSING");
    const none = await conn.create("Contact", contacts(2).map(({ LastName }, n) => (n ? { LastName } : {})), {
      allOrNone: true,
    });
    assert.deepEqual(none.map(({ errors }) => errors[0].statusCode), [
      "REQUIRED_FIELD_MISSING",
      "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    ]);
    const ids = [made[0].id, made[2].id];
    const changed = await conn.update("Contact", ids.map((Id) => ({ Id, FirstName: "Ann" })));
    assert.ok(changed.every(({ success }) => success));
    const read = await conn.retrieve("Contact", [...ids, "003000000000000AAA"]);
    assert.deepEqual(read.map((each) => each && each.FirstName), ["Ann", "Ann", null]);
    assert.ok((await conn.destroy("Contact", ids.slice(0, 1)))[0].success);
    const dropped = await conn.destroy("Contact", ids);
    assert.deepEqual(dropped.map(({ success }) => success), [false, true]);
    assert.equal(dropped[0].errors[0].statusCode, "ENTITY_IS_DELETED");
  },

  async composite() {
    const conn = connect();
    const base = "/services/data/v60.0";
    const answer = await conn.requestPost(`${base}/composite`, {
      allOrNone: true,
      compositeRequest: [
        { method: "POST", url: `${base}/sobjects/Account`, referenceId: "firm", body: { Name: TAG } },
        {
          method: "POST",
          url: `${base}/sobjects/Contact`,
          referenceId: "person",
          body: { LastName: TAG, AccountId: "@{firm.id}" },
        },
        {
          method: "GET",
          url: `${base}/query?q=SELECT+Account.Name+FROM+Contact+WHERE+Id='@{person.id}'`,
          referenceId: "found",
        },
      ],
    });
    assert.deepEqual(answer.compositeResponse.map(({ httpStatusCode }) => httpStatusCode), [201, 201, 200]);
    assert.equal(answer.compositeResponse[2].body.records[0].Account.Name, TAG);
    const tree = await conn.requestPost(`${base}/composite/tree/Account`, {
      records: [
        {
          attributes: { type: "Account", referenceId: "a1" },
          Name: TAG,
          Contacts: { records: [{ attributes: { type: "Contact", referenceId: "c1" }, LastName: TAG }] },
        },
      ],
    });
    assert.deepEqual(tree.results.map(({ referenceId }) => referenceId), ["a1", "c1"]);
  },

  async bulk2_load() {
    const conn = connect();
    const rows = contacts(25);
    rows.push({ ERP_Id__c: `${TAG}-bad`, LastName: "" });
    const load = (operation, input, more = {}) =>
      conn.bulk2.loadAndWaitForResults({ object: "Contact", operation, input, ...more, ...AT_ONCE });
    const made = await load("insert", rows);
    assert.deepEqual(
      [made.successfulResults.length, made.failedResults.length, made.unprocessedRecords.length],
      [25, 1, 0],
    );
    assert.ok(made.successfulResults.every((row) => row.sf__Created === "true" && row.sf__Id));
    assert.match(made.failedResults[0].sf__Error, /^REQUIRED_FIELD_MISSING:/);
    assert.equal(made.failedResults[0].ERP_Id__c, `${TAG}-bad`);

    const csv = `ERP_Id__c,LastName\n${TAG}-0,${TAG} x\n${TAG}-new,${TAG} y\n`;
    const upserted = await load("upsert", csv, { externalIdFieldName: "ERP_Id__c" });
    const created = upserted.successfulResults.map((row) => [row.ERP_Id__c, row.sf__Created]);
    assert.deepEqual(Object.fromEntries(created), { [`${TAG}-0`]: "false", [`${TAG}-new`]: "true" });

    const ids = made.successfulResults.map((row) => ({ Id: row.sf__Id }));
    const updated = await load("update", ids.map((each) => ({ ...each, FirstName: null })));
    assert.equal(updated.successfulResults.length, 25);
    const deleted = await load("delete", ids);
    assert.equal(deleted.successfulResults.length, 25);
    await assert.rejects(load("insert", "LastName,Nmae\na,b\n"), /InvalidBatch/);
  },

  async bulk2_job() {
    const { bulk2 } = connect();
    const job = bulk2.createJob({ object: "Contact", operation: "insert" });
    assert.equal((await job.open()).state, "Open");
    await job.abort();
    assert.equal((await job.check()).state, "Aborted");
    await job.delete();
    await assert.rejects(job.check(), { errorCode: "NOT_FOUND" });
  },

  async bulk2_query() {
    const conn = connect();
    await conn.create("Contact", contacts(30));
    // One page of results: with more, jsforce itself loses rows (jsforce#1546).
    const soql = `SELECT Id, LastName, Account.Name FROM Contact WHERE LastName LIKE '${TAG}%'`;
    const rows = await (await conn.bulk2.query(soql, AT_ONCE)).toArray();
    assert.equal(rows.length, 30);
    assert.deepEqual(Object.keys(rows[0]), ["Id", "LastName", "Account.Name"]);
    await assert.rejects(conn.bulk2.query("SELECT Nmae FROM Contact", AT_ONCE), { errorCode: "INVALID_FIELD" });
  },

  async bulk1() {
    const { bulk } = connect();
    bulk.pollInterval = 50;
    const made = await bulk.load("Contact", "insert", contacts(5));
    assert.ok(made.every(({ success, id }) => success && id));
    const rows = await (await bulk.query(`SELECT LastName FROM Contact WHERE LastName LIKE '${TAG}%'`)).toArray();
    assert.equal(rows.length, 5);
    const gone = await bulk.load("Contact", "delete", made.map(({ id }) => ({ Id: id })));
    assert.ok(gone.every(({ success }) => success));

    // A dead session is told in a way that makes jsforce renew it and send again.
    const renewed = new jsforce.Connection({
      instanceUrl: ORG_URL,
      accessToken: "00D!spent",
      version: "60.0",
      refreshFn: (_, done) => done(null, ORG_TOKEN),
    });
    renewed.bulk.pollInterval = 50;
    const [again] = await renewed.bulk.load("Contact", "insert", [{ LastName: `${TAG} again` }]);
    assert.equal(again.success, true);

    // All or none: `created` tells what would have been created.
    const upserts = [...contacts(1), { ERP_Id__c: `${TAG}-x` }];
    const rolledBack = await connect().sobject("Contact").upsert(upserts, "ERP_Id__c", { allOrNone: true });
    assert.deepEqual(rolledBack.map(({ success, created }) => [success, created]), [[false, true], [false, false]]);
  },
};

(async () => {
  const wrong = {};
  for (const name of process.argv.slice(2)) {
    TAG = randomUUID().slice(-12);
    await scenarios[name]().catch((error) => (wrong[name] = error.stack));
  }
  console.log(JSON.stringify(wrong));
})();
