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

test("a record that isn't replicated yet, or whose readers are away, comes from the writer", async () => {
  const behind = fakeDatabase((_, __, { host }) => (host === "writer.test" ? [row()] : []));
  assert.equal((await call(fakeApplication({ database: behind }).application, "GET", `/records/${ID}`)).status, 200);
  const away = fakeDatabase((_, __, { host }) => {
    if (host === "reader.test") {
      throw sqlError("57P03");
    }
    return [row()];
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

test("GET /records pages by sequence number", async () => {
  const database = fakeDatabase((_, [after, limit]) => (after === "0" ? Array(limit).fill(row({ sequence: "2" })) : [row()]));
  const { application } = fakeApplication({ database });
  const first = await call(application, "GET", "/records", { query: { limit: "2" } });
  assert.equal(first.body.records.length, 2);
  assert.equal(first.body.next, "2");
  const second = await call(application, "GET", "/records", { query: { after: first.body.next } });
  assert.equal(second.body.next, null);
  assert.deepEqual(database.statements.map(({ values }) => values), [
    ["0", 2],
    ["2", 50],
  ]);
});

test("R2.2: a page of large records stays below the 1 MB that a load balancer takes, and loses none", async () => {
  // As large as POST /records accepts, and as long as JSON in JSON can get: every quote escaped twice.
  const stored = Array.from({ length: 30 }, (_, index) => row({ sequence: String(index + 1), data: { a: '"'.repeat(32_000) } }));
  const database = fakeDatabase((_, [after, limit]) => stored.filter(({ sequence }) => Number(sequence) > Number(after)).slice(0, limit));
  const { application } = fakeApplication({ database });
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

for (const query of [{ after: "x" }, { after: "9223372036854775808" }, { limit: "0" }, { limit: "201" }, { limit: "-1" }]) {
  test(`GET /records?${new URLSearchParams(query)} is 400`, async () => {
    assert.equal((await call(fakeApplication().application, "GET", "/records", { query })).status, 400);
  });
}
