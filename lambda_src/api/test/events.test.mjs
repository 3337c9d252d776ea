import assert from "node:assert/strict";
import test from "node:test";
import { CONTEXT, call, fakeApplication, fakeDatabase, sqlError } from "./support.mjs";

const SCHEDULE = { source: "warm-standby.schedule", "detail-type": "outbox.drain" };
const createdAt = new Date(0);
const waiting = (count) =>
  Array.from({ length: count }, (_, index) => ({
    event_id: `event-${index}`,
    detail_type: "record.created",
    detail: { eventId: `event-${index}`, region: "us-west-2" },
    created_at: createdAt,
  }));

/** A database with so many waiting events; batches of at most ten, as the statement says. */
function withOutbox(count) {
  let left = count;
  return fakeDatabase((text) => {
    if (text.includes("FOR UPDATE SKIP LOCKED") && text.startsWith("SELECT")) {
      const batch = waiting(Math.min(10, left));
      left -= batch.length;
      return batch;
    }
    return [];
  });
}

const outcomes = (database) => database.statements.filter(({ text }) => text.startsWith("UPDATE")).map(({ values }) => values[1]);

test("the schedule publishes all that waits a minute, of either region, batch by batch", async () => {
  const database = withOutbox(23);
  const { application, entries } = fakeApplication({ database });
  assert.deepEqual(await application.handle(SCHEDULE, CONTEXT), { published: 23, failed: 0 });
  assert.equal(entries.length, 23);
  assert.deepEqual(JSON.parse(entries[0].Detail), { eventId: "event-0", region: "us-west-2", publishedBy: "us-east-1" });
  const select = database.statements.find(({ text }) => text.startsWith("SELECT"));
  assert.deepEqual(select.values, [null, 60]);
  assert.match(database.statements[0].text, /INSERT INTO public.heartbeats/);
  assert.match(database.statements.at(-1).text, /DELETE FROM public.outbox/);
});

test("an event that the bus refuses stays, its code beside it, and the function fails for the alarm", async () => {
  const database = withOutbox(2);
  const putEvents = async () => [undefined, "ThrottlingException"];
  const { application, lines } = fakeApplication({ database, aws: { putEvents } });
  await assert.rejects(application.handle(SCHEDULE, CONTEXT), /1 events not taken by bus bus-app-us-east-1-test/);
  assert.deepEqual(outcomes(database), [[null, "ThrottlingException"]]);
  assert.deepEqual(lines[0].codes, ["ThrottlingException"]);
});

test("a bus that doesn't answer leaves every event in place", async () => {
  const database = withOutbox(2);
  const putEvents = async () => {
    throw Object.assign(new Error("x"), { name: "TimeoutError" });
  };
  const { application } = fakeApplication({ database, aws: { putEvents } });
  await assert.rejects(application.handle(SCHEDULE, CONTEXT), /2 events not taken/);
  assert.deepEqual(outcomes(database), [["TimeoutError", "TimeoutError"]]);
});

test("no new batch is begun that could not end in time", async () => {
  const { application, entries } = fakeApplication({ database: withOutbox(30) });
  const context = { getRemainingTimeInMillis: () => 3_500 };
  assert.deepEqual(await application.handle(SCHEDULE, context), { published: 10, failed: 0 });
  assert.equal(entries.length, 10);
});

test("a schedule whose writer is away fails, and logs why", async () => {
  const database = fakeDatabase(() => {
    throw sqlError("57P01");
  });
  const { application, lines } = fakeApplication({ database });
  await assert.rejects(application.handle(SCHEDULE, CONTEXT), { code: "writer_unavailable" });
  assert.equal(lines.at(-1).cause.code, "57P01");
});

const INPUT = {
  headers: { "content-type": "application/json", "idempotency-key": "k" },
  body: JSON.stringify({ patientId: "p", type: "note", data: {} }),
};
const stored = { id: "i", created_at: createdAt };

test("a write succeeds though its event can't be published now, and asks only for its own region's", async () => {
  const database = fakeDatabase((text, values) => {
    if (text.includes("INSERT INTO public.records")) {
      return [stored];
    }
    if (text.includes("SKIP LOCKED")) {
      assert.deepEqual(values, ["us-east-1", 0]);
      throw sqlError("57014");
    }
    return [];
  });
  const { application, lines } = fakeApplication({ database });
  assert.equal((await call(application, "POST", "/records", INPUT)).status, 201);
  assert.equal(lines[0].message, "events left to the schedule");
});

test("a write with little time left leaves its event to the schedule", async () => {
  const database = fakeDatabase((text) => (text.includes("INSERT INTO public.records") ? [stored] : []));
  const { application } = fakeApplication({ database });
  const event = { requestContext: { elb: {} }, httpMethod: "POST", path: "/records", ...INPUT };
  const response = await application.handle(event, { getRemainingTimeInMillis: () => 3_000 });
  assert.equal(response.statusCode, 201);
  assert.ok(database.statements.every(({ text }) => !text.includes("SKIP LOCKED")));
});

const EVENT = { source: "warm-standby.app", "detail-type": "record.created", detail: { eventId: "event-1" } };

test("trap 27: an event leaves one receipt in this region, however often it is delivered", async () => {
  const seen = new Set();
  const database = fakeDatabase((_, values) => {
    const isNew = !seen.has(values.join());
    seen.add(values.join());
    return isNew ? [{}] : [];
  });
  const { application } = fakeApplication({ database });
  assert.deepEqual(await application.handle(EVENT, CONTEXT), { received: true });
  assert.deepEqual(await application.handle(EVENT, CONTEXT), { received: false });
  assert.deepEqual([...seen], ["us-east-1,event-1"]);
  assert.match(database.statements[0].text, /ON CONFLICT DO NOTHING/);
});

for (const [what, event] of [
  ["another source", { ...EVENT, source: "aws.s3" }],
  ["no detail", { ...EVENT, detail: undefined }],
  ["an empty key", { ...EVENT, detail: { eventId: "" } }],
]) {
  test(`an event with ${what} fails, so that it ends in the dead-letter queue`, async () => {
    const { application, database } = fakeApplication();
    await assert.rejects(application.handle(event, CONTEXT), /event refused/);
    assert.equal(database.statements.length, 0);
  });
}

test("GET /receipts?key=… tells which regions have the event", async () => {
  const database = fakeDatabase(() => [{ region: "us-east-1", received_at: createdAt }]);
  const { application } = fakeApplication({ database });
  const response = await call(application, "GET", "/receipts", { query: { key: "event-1" } });
  assert.deepEqual(response.body, {
    key: "event-1",
    receipts: [{ region: "us-east-1", receivedAt: "1970-01-01T00:00:00.000Z" }],
  });
  assert.equal((await call(application, "GET", "/receipts")).status, 400);
});
