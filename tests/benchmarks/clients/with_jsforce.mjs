// The works as a script with jsforce does them.
//
//     node with_jsforce.mjs WORK PORT SOQL INPUT OUTPUT_FOLDER MODULES
import { createRequire } from 'node:module';
import fs from 'node:fs';
import { pipeline } from 'node:stream/promises';

const [work, port, soql, input, folder, modules] = process.argv.slice(2);
const { Connection } = createRequire(`${modules}/`)('@jsforce/jsforce-node');
const org = new Connection({
  instanceUrl: `http://127.0.0.1:${port}`,
  accessToken: '00D!bench',
  version: '60.0',
});
org.bulk2.pollInterval = 50;
org.bulk2.pollTimeout = 600000;

const works = {
  async bulk_query() {
    const records = await org.bulk2.query(soql);
    await pipeline(records.stream('csv'), fs.createWriteStream(`${folder}/rows.csv`));
  },
  async rest_query() {
    const records = org.query(soql, { autoFetch: true, maxFetch: 100000000 });
    await pipeline(records.stream('csv'), fs.createWriteStream(`${folder}/rows.csv`));
  },
  async bulk_upsert() {
    const results = await org.bulk2.loadAndWaitForResults({
      object: 'Account',
      operation: 'upsert',
      externalIdFieldName: 'ERP_Id__c',
      input: fs.createReadStream(input),
      pollInterval: 50,
      pollTimeout: 600000,
    });
    fs.writeFileSync(`${folder}/succeeded-0.csv`, asCsv(results.successfulResults));
    fs.writeFileSync(`${folder}/failed-0.csv`, asCsv(results.failedResults));
  },
};

function asCsv(records) {
  const quoted = (cell) => `"${String(cell).replaceAll('"', '""')}"`;
  const lines = records.map((record) => Object.values(record).map(quoted).join(','));
  return [Object.keys(records[0] ?? {}).map(quoted).join(','), ...lines].join('\n') + '\n';
}

await works[work]();
