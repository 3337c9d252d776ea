import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import test from "node:test";
import { indexOf, pagesOf } from "../src/emergency_pages.mjs";
import { fakeApplication } from "./support.mjs";

const at = new Date("2026-01-02T03:04:05.678Z");
const BEAT = new Date("2026-01-02T03:04:00.000Z");

const record = (patient, id, more = {}) => ({ patient_id: patient, id, type: "note", data: { text: id }, attachment: null, created_at: at, ...more });

async function* given(rows) {
  yield* rows;
}

async function pages(rows, limit) {
  const found = [];
  for await (const page of pagesOf(given(rows), limit)) {
    found.push(page);
  }
  return found;
}

/** The export on a scripted reader; `fail` is a statement that it refuses. */
function exporting({ rows = [], fail, putObject } = {}) {
  const clients = [];
  const objects = [];
  const secrets = [];
  const createClient = async (options) => {
    const statements = [];
    const left = [rows, []];
    const client = Object.assign(new EventEmitter(), {
      options,
      statements,
      ended: 0,
      connect: async () => client.emit("error", new Error("lost between two statements")),
      query: async (text) => {
        statements.push(text);
        if (fail?.test(text)) {
          throw new Error("refused");
        }
        if (text.includes("AS as_of")) {
          return { rows: [{ as_of: BEAT }] };
        }
        return { rows: text.startsWith("FETCH") ? left.shift() : [] };
      },
      end: async () => {
        client.ended += 1;
      },
    });
    clients.push(client);
    return client;
  };
  const { application, lines } = fakeApplication({
    createClient,
    now: () => at.getTime(),
    variables: { ENVIRONMENT_SUFFIX: "test", EMERGENCY_DAYS: "30" },
    aws: {
      readSecret: async (arn) => {
        secrets.push(arn);
        return { username: "api", password: "secret-word" };
      },
      putObject: putObject ?? (async (object) => objects.push(object)),
    },
  });
  return { application, clients, objects, secrets, lines };
}

test("§164.308(a)(7)(ii)(C): all records of one snapshot of the own reader become pages in the own bucket, the index last", async () => {
  const rows = [record("p-1", "r-1"), record("p-1", "r-2"), record("p-2", "r-3")];
  const { application, clients, objects, lines } = exporting({ rows });
  const folder = "emergency/us-east-1/2026-01-02T03-04-05Z/";
  const made = { folder, asOf: BEAT.toISOString(), pages: 1, patients: 2, records: 3 };
  assert.deepEqual(await application.emergency(), { bucket: "bucket-test", ...made });
  assert.deepEqual(objects.map(({ bucket, key, contentType }) => [bucket, key, contentType]), [
    ["bucket-test", `${folder}page-0001.html`, "text/html; charset=utf-8"],
    ["bucket-test", `${folder}index.html`, "text/html; charset=utf-8"],
  ]);
  const [client] = clients;
  assert.equal(client.options.host, "reader.test");
  assert.equal(client.options.ssl.rejectUnauthorized, true);
  assert.deepEqual(client.statements[0], "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  assert.match(client.statements[2], /created_at > now\(\) - make_interval\(days => 30\)\)/);
  assert.equal(client.ended, 1);
  const measured = lines.find((line) => line._aws);
  assert.deepEqual([measured.EmergencyExport, measured.EnvironmentSuffix], [1, "test"]);
  const logged = lines.find((line) => line.message === "emergency export made");
  assert.deepEqual([logged.folder, logged.records], [folder, 3]);
  assert.doesNotMatch(JSON.stringify(lines), /p-1|r-1/, "no patient's data in a log");
});

test("a database without records gives an index that says so, and counts as an export", async () => {
  const { application, objects, lines } = exporting();
  assert.equal((await application.emergency()).records, 0);
  assert.equal(objects.length, 1);
  assert.match(String(objects[0].body), /Later records are missing/);
  assert.ok(lines.some((line) => line.EmergencyExport === 1));
});

test("an export that fails leaves no index, is not measured, ends its connection, and reads the secret anew next time", async () => {
  const { application, clients, objects, secrets, lines } = exporting({ rows: [record("p-1", "r-1")], fail: /^FETCH/ });
  await assert.rejects(application.emergency(), /refused/);
  await assert.rejects(application.emergency(), /refused/);
  assert.deepEqual(objects, []);
  assert.deepEqual(clients.map(({ ended }) => ended), [1, 1]);
  assert.deepEqual(secrets, ["arn:application", "arn:application"]);
  assert.ok(!lines.some((line) => line._aws));
});

test("a page that isn't stored fails the export before its index", async () => {
  const keys = [];
  const putObject = async ({ key }) => {
    keys.push(key);
    throw new Error("slow down");
  };
  const { application } = exporting({ rows: [record("p-1", "r-1")], putObject });
  await assert.rejects(application.emergency(), /slow down/);
  assert.equal(keys.length, 1);
});

test("what a record holds is shown as text: no script, no loading, whatever it says", async () => {
  const evil = `<script>alert("1")</script>&'`;
  const data = { [evil]: [1, null, true, { deep: evil }], note: "plain" };
  const attachment = { key: `attachments/${evil}`, contentType: "image/png" };
  const [page] = await pages([record(evil, "r-1", { type: evil, data, attachment })]);
  assert.doesNotMatch(page.html, /<script|alert\("/);
  assert.match(page.html, /&#60;script&#62;alert\(&#34;1&#34;\)&#60;\/script&#62;&#38;&#39;/);
  assert.match(page.html, /<ul><li>1<\/li><li>null<\/li><li>true<\/li><li><dl><dt>deep<\/dt>/);
  assert.match(page.html, /<dt>note<\/dt><dd>plain<\/dd>/);
  assert.match(page.html, /attachment: attachments\//);
  for (const html of [page.html, indexOf({ region: evil, asOf: at, madeAt: at, days: 90, pages: [page] })]) {
    assert.match(html, /content="default-src 'none'; style-src 'unsafe-inline'"/);
    assert.doesNotMatch(html, /src=|<link|<script|https?:/);
  }
});

test("a page ends at its limit, a patient's records continue on the next one under its id, and the index leads to both", async () => {
  const rows = ["r-1", "r-2", "r-3"].map((id) => record("p-1", id)).concat(record("p-2", "r-4"));
  const [first, second, third, fourth] = await pages(rows, 1);
  assert.deepEqual([first.number, first.records, first.patients, first.last], [1, 1, 1, "p-1"]);
  assert.deepEqual([second.number, second.patients, fourth.patients], [2, 0, 1]);
  assert.match(third.html, /<h2>Patient p-1<\/h2>/);
  const together = await pages(rows);
  assert.deepEqual(together.map(({ first: from, last, patients }) => [from, last, patients]), [["p-1", "p-2", 2]]);
  const index = indexOf({ region: "us-west-2", asOf: BEAT, madeAt: at, days: 30, pages: [first, fourth] });
  assert.match(index, /<a href="page-0001.html">page-0001.html<\/a><\/td><td>p-1<\/td>/);
  assert.match(index, /<a href="page-0004.html">/);
  assert.match(index, /in the\n30 days before/);
  assert.match(index, /until 2026-01-02T03:04:00.000Z \(UTC\)/);
});
