import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import fc from "fast-check";
import { isExactNumber } from "../src/json_text.mjs";
import { CONTEXT, albEvent, call, fakeApplication, fakeDatabase, sqlError } from "./support.mjs";

const INPUT = { patientId: "patient-1", type: "observation", data: { systolic: 120, notes: ["a", null, true, 1.5] } };
const createdAt = new Date("2026-01-02T03:04:05.678Z");
const ID = "11111111-2222-4333-8444-555555555555";

const row = (more = {}) => ({
  id: ID,
  sequence: "7",
  event_id: "e",
  patient_id: "patient-1",
  type: "observation",
  data: {},
  attachment: null,
  region: "us-east-1",
  created_at: createdAt,
  ...more,
});

function post(application, input, { key = "key-1", contentType = "application/json; charset=utf-8", raw } = {}) {
  const type = contentType !== null && { "Content-Type": contentType };
  return call(application, "POST", "/records", {
    headers: { ...type, ...(key !== null && { "Idempotency-Key": key }) },
    body: raw ?? JSON.stringify(input),
  });
}

/** A database that stores nothing but answers an insert as PostgreSQL does. */
function storing() {
  return fakeDatabase((text, values) => {
    if (text.includes("INSERT INTO public.records")) {
      const [id, , , eventId, patientId, type, data, attachment, region] = values;
      const stored = { patient_id: patientId, type, data: JSON.parse(data), region };
      return [row({ id, event_id: eventId, ...stored, attachment: attachment && JSON.parse(attachment) })];
    }
    if (text.includes("FROM public.outbox")) {
      return [{ event_id: "e", detail_type: "record.created", detail: { eventId: "e", region: "us-east-1" }, created_at: createdAt }];
    }
    return [];
  });
}

test("POST /records stores record and event in one transaction, then publishes", async () => {
  const database = storing();
  const { application, entries } = fakeApplication({ database });
  const response = await post(application, INPUT);
  assert.equal(response.status, 201);
  assert.equal(response.headers.location, `/records/${response.body.id}`);
  assert.equal(response.headers["idempotency-replayed"], undefined);
  assert.deepEqual(response.body, {
    id: response.body.id,
    sequence: "7",
    eventId: response.body.eventId,
    ...INPUT,
    region: "us-east-1",
    createdAt: createdAt.toISOString(),
  });
  const texts = database.statements.map(({ text }) => text);
  assert.deepEqual([texts[0], texts[3], texts[4], texts.at(-1)], ["BEGIN", "COMMIT", "BEGIN", "COMMIT"]);
  assert.match(texts[2], /INSERT INTO public.outbox/);
  const detail = JSON.parse(database.statements[2].values[3]);
  assert.equal(detail.eventId, response.body.eventId);
  assert.equal(detail.region, "us-east-1");
  assert.doesNotMatch(database.statements[2].values[3], /patient|systolic/);
  assert.deepEqual(entries, [
    {
      EventBusName: "bus-app-us-east-1-test",
      Source: "warm-standby.app",
      DetailType: "record.created",
      Time: createdAt,
      Detail: '{"eventId":"e","region":"us-east-1","publishedBy":"us-east-1"}',
    },
  ]);
});

test("the same request again is answered with the same record; another body with its key is 422", async () => {
  const hash = createHash("sha256").update(JSON.stringify(INPUT)).digest("hex");
  const database = fakeDatabase((text) => (text.includes("SELECT request_hash") ? [row({ request_hash: hash })] : []));
  const { application, entries } = fakeApplication({ database });
  const again = await post(application, INPUT);
  assert.equal(again.status, 201);
  assert.equal(again.body.id, ID);
  assert.equal(again.headers["idempotency-replayed"], "true");
  const other = await post(application, { ...INPUT, type: "other" });
  assert.equal(other.status, 422);
  assert.equal(other.body.error.code, "idempotency_key_reused");
  assert.ok(database.statements.every(({ text }) => !text.includes("INSERT INTO public.outbox")));
  assert.deepEqual(entries, []);
});

test("an attachment is in the region's bucket before the record names it", async () => {
  const objects = [];
  const database = storing();
  const putObject = async (object) => objects.push({ ...object, statements: database.statements.length });
  const { application } = fakeApplication({ database, aws: { putObject } });
  const content = Buffer.from("picture");
  const input = { ...INPUT, attachment: { contentType: "image/png", content: content.toString("base64") } };
  const { body, status } = await post(application, input);
  assert.equal(status, 201);
  const sha256 = createHash("sha256").update(content).digest("hex");
  assert.deepEqual(body.attachment, { key: objects[0].key, contentType: "image/png", size: 7, sha256 });
  assert.deepEqual(objects, [
    { bucket: "bucket-test", key: objects[0].key, body: content, contentType: "image/png", statements: 0 },
  ]);
  await post(application, input);
  await post(application, { ...input, type: "other" });
  assert.equal(objects[1].key, objects[0].key);
  assert.notEqual(objects[2].key, objects[0].key);
});

test("H26: a record whose volume turns out to be demoted while its event is published is 503, and stored anew when repeated", async () => {
  const database = storing();
  const { answer } = database;
  let time = 0;
  let known = "1";
  database.answer = (text, values) => {
    if (text.includes("INSERT INTO public.outbox")) {
      // After this transaction's own question, and before the publication's.
      known = "2";
      time = 5_000;
    }
    return answer(text, values);
  };
  const { application, lines } = fakeApplication({
    database,
    variables: { EPOCH_PARAMETER: "/epoch" },
    aws: { readParameter: async () => known },
    now: () => time,
  });
  const refused = await post(application, INPUT);
  assert.deepEqual([refused.status, refused.body.error.code, refused.headers["retry-after"]], [503, "writer_demoted", "5"]);
  assert.ok(database.statements.some(({ text }) => text === "COMMIT"));
  assert.ok(lines.some(({ message }) => message === "events left to the schedule"));
  database.epoch = "2";
  assert.equal((await post(application, INPUT)).status, 201);
});

test("trap 62: storing an attachment ends at the request's deadline, whatever the bucket does", async () => {
  const database = storing();
  const { application } = fakeApplication({ database, aws: { putObject: () => new Promise(() => {}) } });
  const body = JSON.stringify({ ...INPUT, attachment: { contentType: "a/b", content: "QQ==" } });
  const event = albEvent("POST", "/records", { headers: { "content-type": "application/json", "idempotency-key": "k" }, body });
  const { statusCode, body: said } = await application.handle(event, { getRemainingTimeInMillis: () => 1_100 });
  assert.deepEqual([statusCode, JSON.parse(said).error.code], [503, "storage_unavailable"]);
  assert.deepEqual(database.statements, []);
});

test("trap 62: waiting for the attachment's replication ends at the request's deadline, whatever the bucket does", async () => {
  const statuses = [async () => "PENDING", () => new Promise(() => {})];
  const { application } = fakeApplication({
    database: replicating({ "reader.test": 0, "peer.test": 0 }),
    variables: PEER,
    aws: { replicationStatus: () => statuses.shift()() },
  });
  const body = JSON.stringify({ ...INPUT, attachment: { contentType: "a/b", content: "QQ==" } });
  const event = albEvent("POST", "/records", { ...durable, body });
  const { statusCode, body: said } = await application.handle(event, { getRemainingTimeInMillis: () => 1_800 });
  assert.deepEqual([statusCode, JSON.parse(said).error.code], [503, "durability_not_reached"]);
});

test("an attachment that can't be stored is 503, and no record is", async () => {
  const database = storing();
  const putObject = async () => {
    throw new Error("away");
  };
  const { application } = fakeApplication({ database, aws: { putObject } });
  const response = await post(application, { ...INPUT, attachment: { contentType: "text/plain", content: "" } });
  assert.equal(response.status, 503);
  assert.equal(response.body.error.code, "storage_unavailable");
  assert.equal(response.headers["retry-after"], "5");
  assert.equal(database.statements.length, 0);
});

test("trap 8: a write during which the writer is demoted succeeds on the new writer", async () => {
  const database = storing();
  const answer = database.answer;
  let demoted = true;
  database.answer = (text, values) => {
    if (demoted) {
      demoted = false;
      throw sqlError("25006");
    }
    return answer(text, values);
  };
  const { application, lines } = fakeApplication({ database });
  assert.equal((await post(application, INPUT)).status, 201);
  assert.equal(lines[0].message, "database work repeated");
  assert.equal(database.released[0], true);
});

/** The body with this JSON in the place of a number. */
const raw = (json) => JSON.stringify(INPUT).replace("120", json);

const refusals = [
  ["no key", 400, INPUT, { key: null }],
  ["a key with spaces", 400, INPUT, { key: "a b" }],
  ["no JSON type", 415, INPUT, { contentType: "text/plain" }],
  ["an empty type", 415, INPUT, { contentType: "" }],
  ["no type at all", 415, INPUT, { contentType: null }],
  ["no JSON", 400, INPUT, { raw: "{" }],
  ["a list", 400, []],
  ["null", 400, null],
  ["an unknown field", 400, { ...INPUT, extra: 1 }],
  ["no patient", 400, { ...INPUT, patientId: undefined }],
  ["a patient with a slash", 400, { ...INPUT, patientId: "a/b" }],
  ["an upper-case type", 400, { ...INPUT, type: "Note" }],
  ["data that is a list", 400, { ...INPUT, data: [] }],
  ["a NUL in data", 400, { ...INPUT, data: { a: "\0" } }],
  ["half a surrogate pair in a key", 400, { ...INPUT, data: { "\ud800": 1 } }],
  ["an integer beyond 2^53", 400, undefined, { raw: JSON.stringify(INPUT).replace("120", "9007199254740993") }],
  ["an infinite number", 400, undefined, { raw: JSON.stringify(INPUT).replace("120", "1e999") }],
  ["a decimal beyond a double's precision", 400, undefined, { raw: raw("0.30000000000000001") }],
  ["a number too small for a double", 400, undefined, { raw: raw("1e-400") }],
  ["a number whose exponent is beyond counting", 400, undefined, { raw: raw("-1E-99999999999999999999") }],
  ["a number deep in a list that loses a digit", 400, undefined, { raw: raw('[{"a":["x",12345678901.1234567890]}]') }],
  ["the same name twice", 400, undefined, { raw: raw('{"a":1,"b":[{}],"\\u0061":2}') }],
  ["a field twice", 400, undefined, { raw: `{"type":"x",${JSON.stringify(INPUT).slice(1)}` }],
  ["text in which the load balancer put U+FFFD", 400, { ...INPUT, data: { a: "\ufffd" } }],
  ["half a surrogate pair in the event's text", 400, { ...INPUT, data: { a: "?" } }, { raw: raw('"\ud800"') }],
  ["an attachment with bits beyond its last byte", 400, { ...INPUT, attachment: { contentType: "a/b", content: "QR==" } }],
  ["too deep data", 400, { ...INPUT, data: JSON.parse(`${'{"a":'.repeat(40)}1${"}".repeat(40)}`) }],
  ["too much data", 413, { ...INPUT, data: { a: "x".repeat(64 * 1024) } }],
  ["a body beyond the limit", 413, { ...INPUT, data: { a: "x".repeat(900 * 1024) } }],
  ["an attachment that is no object", 400, { ...INPUT, attachment: "x" }],
  ["an attachment with more", 400, { ...INPUT, attachment: { contentType: "a/b", content: "", name: "x" } }],
  ["an attachment without type", 400, { ...INPUT, attachment: { content: "" } }],
  ["an attachment that is no base64", 400, { ...INPUT, attachment: { contentType: "a/b", content: "=" } }],
  ["too large an attachment", 413, { ...INPUT, attachment: { contentType: "a/b", content: "AAAA".repeat(175_000) } }],
];
for (const [what, status, input, options] of refusals) {
  test(`POST /records with ${what} is ${status}, and nothing is stored`, async () => {
    const { application, database } = fakeApplication();
    const response = await post(application, input, options);
    assert.equal(response.status, status);
    assert.equal(typeof response.body.error.message, "string");
    assert.equal(database.statements.length, 0);
  });
}

/** A body as the load balancer passes bytes on that it doesn't take for text. */
async function postBytes(application, bytes) {
  const headers = { "content-type": "application/json", "idempotency-key": "k" };
  const event = albEvent("POST", "/records", { headers, body: bytes.toString("base64"), isBase64Encoded: true });
  const { statusCode, body } = await application.handle(event, CONTEXT);
  return { status: statusCode, body: JSON.parse(body) };
}

test("a base64 body that is not UTF-8, anywhere in it, is 400, and nothing is stored", async () => {
  for (const wrong of [Buffer.from("fffefd", "hex"), Buffer.from(raw('"?"')).map((byte) => (byte === 0x3f ? 0xff : byte))]) {
    const { application, database } = fakeApplication();
    const { status, body } = await postBytes(application, Buffer.from(wrong));
    assert.equal(status, 400);
    assert.match(body.error.message, /JSON in UTF-8/);
    assert.equal(database.statements.length, 0);
  }
});

test("U+FFFD is kept where it is sure what was sent: in a base64 body, and as an escape in any", async () => {
  const { application } = fakeApplication({ database: storing() });
  const bytes = await postBytes(application, Buffer.from(raw('"\ufffd"')));
  assert.deepEqual([bytes.status, bytes.body.data.systolic], [201, "\ufffd"]);
  const escape = await post(application, undefined, { raw: raw('"\\ufffd"') });
  assert.deepEqual([escape.status, escape.body.data.systolic], [201, "\ufffd"]);
});

for (const number of ["-0.10", "0e-999999999999", "1.50E+1", "5e-324", "0.1", "120.000", "-0", "9007199254740991", "[1,2e3,{}]"]) {
  test(`the number ${number} is kept as the same value`, async () => {
    const { application } = fakeApplication({ database: storing() });
    const { status, body } = await post(application, undefined, { raw: raw(number) });
    assert.equal(status, 201);
    assert.deepEqual(body.data.systolic, JSON.parse(JSON.stringify(JSON.parse(number))));
  });
}

test("a decimal is taken exactly when a double gives back its very digits", () => {
  const digits = fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 1, maxLength: 24 });
  const anyNumber = fc.tuple(digits, digits, fc.integer({ min: -40, max: 40 }));
  fc.assert(
    fc.property(anyNumber, ([whole, fraction, exponent]) => {
      const token = `${whole.replace(/^0+(?=\d)/, "")}.${fraction}e${exponent}`;
      // As integers in the unit of the smallest digit of both, without rounding.
      const exact = (text) => {
        const [, a, b = "", e = "0"] = /^(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(text);
        return BigInt(a + b) * 10n ** BigInt(200 + Number(e) - b.length);
      };
      assert.equal(isExactNumber(token), exact(token) === exact(JSON.stringify(Number(token))));
    }),
    { numRuns: 2_000 },
  );
});

test("whatever JSON object is accepted as data is stored as it was sent", async () => {
  const { application } = fakeApplication({ database: storing(), variables: { LOG_LEVEL: "error" } });
  const data = fc.dictionary(fc.string(), fc.jsonValue());
  await fc.assert(
    fc.asyncProperty(data, async (sent) => {
      const response = await post(application, { ...INPUT, data: sent });
      if (response.status === 201) {
        assert.deepEqual(response.body.data, JSON.parse(JSON.stringify(sent)));
      } else {
        assert.equal(response.status, 400);
      }
    }),
    { numRuns: 500 },
  );
});

test("GET /records/{id} reads from this region's readers", async () => {
  const database = fakeDatabase(() => [row()]);
  const { application } = fakeApplication({ database });
  const response = await call(application, "GET", `/records/${ID}`);
  assert.equal(response.status, 200);
  assert.equal(response.body.id, ID);
  assert.deepEqual(database.statements.map(({ host }) => host), ["reader.test"]);
});

/**
 * A database with these records and of this epoch, which answers the feed's two questions by
 * sequence number; how PostgreSQL answers them is tested against one (tests/integration/test_app_feed.py).
 */
function withFeed(stored, { epoch = "1", resume } = {}) {
  return (text, values) => {
    if (text.includes("recovery.epochs")) {
      return [{ epoch, known: stored.some(({ sequence }) => sequence === values[0]), resume: resume ?? values[0] }];
    }
    if (text.includes("pg_snapshot_xmin")) {
      return stored.filter(({ sequence }) => BigInt(sequence) > BigInt(values[0])).slice(0, values[1]);
    }
    return undefined;
  };
}

const rows = (...sequences) => sequences.map((sequence) => row({ sequence: String(sequence) }));

test("a record that isn't replicated yet, or whose readers are away, comes from the writer", async () => {
  const behind = fakeDatabase((_, __, { host }) => (host === "writer.test" ? [row()] : []));
  assert.equal((await call(fakeApplication({ database: behind }).application, "GET", `/records/${ID}`)).status, 200);
  const feed = withFeed(rows(1));
  const away = fakeDatabase((text, values, { host }) => {
    if (host === "reader.test") {
      throw sqlError("57P03");
    }
    return feed(text, values);
  });
  assert.equal((await call(fakeApplication({ database: away }).application, "GET", "/records")).status, 200);
});

test("a record that nowhere is, or can't be, is 404; with the writer away it is 503", async () => {
  const { application, database } = fakeApplication();
  assert.equal((await call(application, "GET", `/records/${ID}`)).status, 404);
  assert.equal(database.statements.length, 2);
  assert.equal((await call(application, "GET", "/records/1")).status, 404);
  assert.equal(database.statements.length, 2);
  database.answer = (_, __, { host }) => {
    if (host === "writer.test") {
      throw sqlError("57P01");
    }
    return [];
  };
  const response = await call(application, "GET", `/records/${ID}`);
  assert.equal(response.status, 503);
  assert.equal(response.headers["retry-after"], "5");
});

const list = (database, query, more) => call(fakeApplication({ database, ...more }).application, "GET", "/records", { query });

test("trap 61: GET /records pages by cursors of epoch and sequence; next is null at the end, cursor never", async () => {
  const database = fakeDatabase(withFeed(rows(1, 2, 3), { epoch: "4" }));
  const first = await list(database, { limit: "2" });
  assert.deepEqual([first.body.records.length, first.body.next, first.body.cursor], [2, "4.2", "4.2"]);
  const second = await list(database, { after: first.body.next });
  assert.deepEqual([second.body.records.length, second.body.next, second.body.cursor], [1, null, "4.3"]);
  const third = await list(database, { after: second.body.cursor });
  assert.deepEqual([third.body.records, third.body.next, third.body.cursor], [[], null, "4.3"]);
  assert.deepEqual(
    database.statements.map(({ values }) => values),
    [["0", 0], ["0", 2], ["2", 4], ["2", 50], ["3", 4], ["3", 50]],
  );
  assert.ok(database.statements.every(({ host }) => host === "reader.test"));
});

test("trap 61: an empty feed's cursor is its beginning, which every form of it gives", async () => {
  for (const query of [{}, { after: "0" }, { after: "4.0" }]) {
    const { status, body } = await list(fakeDatabase(withFeed([], { epoch: "4" })), query);
    assert.deepEqual([status, body], [200, { records: [], next: null, cursor: "4.0" }]);
  }
});

test("a cursor of an earlier epoch is 409 with the point to resume from", async () => {
  const { status, body } = await list(fakeDatabase(withFeed(rows(1), { epoch: "4", resume: "17" })), { after: "3.20" });
  assert.equal(status, 409);
  assert.deepEqual([body.error.code, body.resume], ["epoch_changed", "4.17"]);
  assert.equal(body.records, undefined);
});

test("a cursor that this region's readers don't know yet, by number or by epoch, is the writer's to answer", async () => {
  const ahead = withFeed(rows(1, 2, 3), { epoch: "2" });
  for (const behind of [withFeed(rows(1), { epoch: "2" }), withFeed(rows(1, 2, 3), { epoch: "1" })]) {
    const database = fakeDatabase((text, values, { host }) => (host === "writer.test" ? ahead : behind)(text, values));
    const { body } = await list(database, { after: "2.2" });
    assert.deepEqual(body.records.map(({ sequence }) => sequence), ["3"]);
    assert.deepEqual(new Set(database.statements.map(({ host }) => host)), new Set(["reader.test", "writer.test"]));
  }
});

test("H26: a cursor of an epoch that the writer lacks is 503 where it is known to be demoted, else 400", async () => {
  const database = storing();
  const { answer } = database;
  const feed = withFeed(rows(1), { epoch: "1" });
  database.answer = (text, values) => feed(text, values) ?? answer(text, values);
  const { status, body } = await list(database, { after: "2.1" });
  assert.deepEqual([status, body.error.code], [400, "invalid_request"]);
  const { application } = fakeApplication({
    database,
    variables: { EPOCH_PARAMETER: "/epoch" },
    aws: { readParameter: async () => "2" },
  });
  assert.equal((await post(application, INPUT)).body.error.code, "writer_demoted");
  const known = await call(application, "GET", "/records", { query: { after: "2.1" } });
  assert.deepEqual([known.status, known.body.error.code], [503, "writer_demoted"]);
});

test("R2.2: a page of large records stays below the 1 MB that a load balancer takes, and loses none", async () => {
  // As large as POST /records accepts, and as long as JSON in JSON can get: every quote escaped twice.
  const stored = Array.from({ length: 30 }, (_, index) => row({ sequence: String(index + 1), data: { a: '"'.repeat(32_000) } }));
  const { application } = fakeApplication({ database: fakeDatabase(withFeed(stored)) });
  const found = [];
  let after = "0";
  while (after !== null) {
    const response = await application.handle(albEvent("GET", "/records", { query: { after, limit: "200" } }), CONTEXT);
    assert.ok(Buffer.byteLength(JSON.stringify(response)) < 1_000_000);
    const body = JSON.parse(response.body);
    found.push(...body.records.map(({ sequence }) => sequence));
    after = body.next;
  }
  assert.deepEqual(found, stored.map(({ sequence }) => sequence));
});

const badPages = [
  ...["x", "1", "1.", ".1", "0.1", "1.01", "1.-1", "1.1.1", " 1.1", "1.9223372036854775808", "1234567890123456.1", ""].map((after) => ({ after })),
  ...["0", "201", "-1", "x"].map((limit) => ({ limit })),
];
for (const query of badPages) {
  test(`GET /records?${new URLSearchParams(query)} is 400, and asks no database`, async () => {
    const database = fakeDatabase();
    const { status, body } = await list(database, query);
    assert.deepEqual([status, body.error.code], [400, "invalid_request"]);
    assert.equal(database.statements.length, 0);
  });
}

const PEER = { DATABASE_PEER_READER_ENDPOINT: "peer.test" };

/** A database whose regions show a record after so many questions. */
function replicating(questions) {
  const database = storing();
  const { answer } = database;
  const left = { ...questions };
  database.answer = (text, values, options) => {
    if (!text.startsWith("SELECT FROM public.records WHERE id")) {
      return answer(text, values);
    }
    left[options.host] -= 1;
    return left[options.host] < 0 ? [{}] : [];
  };
  return database;
}

const durable = { headers: { "content-type": "application/json", "idempotency-key": "k", durability: "two-region" } };

test("Durability: two-region is answered when both regions' readers show the record, and says so", async () => {
  const database = replicating({ "reader.test": 0, "peer.test": 3 });
  const { application } = fakeApplication({ database, variables: PEER });
  const response = await call(application, "POST", "/records", { ...durable, body: JSON.stringify(INPUT) });
  assert.deepEqual([response.status, response.headers.durability], [201, "two-region"]);
  const asked = database.statements.filter(({ text }) => text.startsWith("SELECT FROM public.records"));
  assert.equal(asked.filter(({ host }) => host === "peer.test").length, 4);
  assert.ok(asked.every(({ values }) => values[0] === response.body.id));
});

test("without the header a write is answered as one-region and asks no other region", async () => {
  const database = replicating({});
  const { application } = fakeApplication({ database, variables: PEER });
  const headers = { ...durable.headers, durability: "one-region" };
  for (const response of [
    await post(application, INPUT),
    await call(application, "POST", "/records", { headers, body: JSON.stringify(INPUT) }),
  ]) {
    assert.deepEqual([response.status, response.headers.durability], [201, "one-region"]);
  }
  assert.ok(database.statements.every(({ host }) => host === "writer.test"));
});

for (const [what, questions, hosts] of [
  ["the other region's replica lags", { "reader.test": 0, "peer.test": Infinity }, []],
  ["the other region's readers are away", { "reader.test": 0, "peer.test": 0 }, ["peer.test"]],
  ["this region's replica lags", { "reader.test": Infinity, "peer.test": 0 }, []],
]) {
  test(`Durability: two-region is 503 with Durability: one-region when ${what}; no reader is held for dead for lagging`, async () => {
    const database = replicating(questions);
    database.onConnect = async ({ host }) => {
      if (hosts.includes(host)) {
        throw Object.assign(new Error("connect"), { code: "ECONNREFUSED", syscall: "connect" });
      }
    };
    const { application, lines } = fakeApplication({ database, variables: PEER });
    const event = albEvent("POST", "/records", { ...durable, body: JSON.stringify(INPUT) });
    const { statusCode, headers, body } = await application.handle(event, { getRemainingTimeInMillis: () => 2_000 });
    assert.deepEqual([statusCode, headers.durability, headers["retry-after"]], [503, "one-region", "5"]);
    assert.equal(JSON.parse(body).error.code, "durability_not_reached");
    assert.ok(database.statements.some(({ text }) => text === "COMMIT"));
    assert.ok(lines.every(({ message }) => hosts.length > 0 || message !== "database work repeated"));
  });
}

test("Durability of another kind is 400; two-region where the other region isn't known is 501; nothing is stored", async () => {
  for (const [variables, durability, status, code] of [
    [PEER, "three-region", 400, "invalid_request"],
    [{}, "two-region", 501, "durability_unavailable"],
  ]) {
    const { application, database } = fakeApplication({ variables });
    const headers = { ...durable.headers, durability };
    const response = await call(application, "POST", "/records", { headers, body: JSON.stringify(INPUT) });
    assert.deepEqual([response.status, response.body.error.code], [status, code]);
    assert.equal(database.statements.length, 0);
  }
});

test("Durability: two-region waits for the attachment's replication, and doesn't put it anew when it is under way", async () => {
  const put = [];
  const statuses = [new Error("NotFound"), "PENDING", "COMPLETED", "PENDING", "REPLICA"];
  const replicationStatus = async ({ bucket, key }) => {
    assert.equal(bucket, "bucket-test");
    assert.match(key, /^attachments\/[0-9a-f]{64}$/);
    const status = statuses.shift();
    if (status instanceof Error) {
      throw status;
    }
    return status;
  };
  const database = replicating({ "reader.test": 0, "peer.test": 0 });
  const { application } = fakeApplication({ database, variables: PEER, aws: { replicationStatus, putObject: async ({ key }) => put.push(key) } });
  const body = JSON.stringify({ ...INPUT, attachment: { contentType: "a/b", content: "QQ==" } });
  for (let index = 0; index < 2; index += 1) {
    const response = await call(application, "POST", "/records", { ...durable, body });
    assert.deepEqual([response.status, response.headers.durability], [201, "two-region"]);
  }
  assert.equal(put.length, 1);
  assert.deepEqual(statuses, []);
});

test("Durability: two-region puts an attachment anew whose replication failed, and is 503 where nothing replicates it", async () => {
  for (const status of ["FAILED", undefined]) {
    const put = [];
    const { application } = fakeApplication({
      database: replicating({ "reader.test": 0, "peer.test": 0 }),
      variables: PEER,
      aws: { replicationStatus: async () => status, putObject: async ({ key }) => put.push(key) },
    });
    const body = JSON.stringify({ ...INPUT, attachment: { contentType: "a/b", content: "QQ==" } });
    const event = albEvent("POST", "/records", { ...durable, body });
    const response = await application.handle(event, { getRemainingTimeInMillis: () => 1_800 });
    assert.deepEqual([response.statusCode, put.length], [503, 1]);
  }
});

test("H27: a write to a dead writer is refused before its attachment is stored", async () => {
  const database = storing();
  database.onConnect = async () => {
    throw Object.assign(new Error("connect"), { code: "ECONNREFUSED", syscall: "connect" });
  };
  let put = 0;
  const { application } = fakeApplication({ database, aws: { putObject: async () => (put += 1) } });
  const input = { ...INPUT, attachment: { contentType: "a/b", content: "QQ==" } };
  assert.equal((await post(application, input)).status, 503);
  assert.equal(put, 1);
  const took = [];
  for (let index = 0; index < 3; index += 1) {
    const started = performance.now();
    assert.equal((await post(application, input)).status, 503);
    took.push(performance.now() - started);
  }
  // The quickest: a busy machine may stop any of them.
  assert.ok(Math.min(...took) < 50);
  assert.equal(put, 1);
  // H27: the load balancer's check stays green.
  assert.equal((await call(application, "GET", "/health")).status, 200);
});
