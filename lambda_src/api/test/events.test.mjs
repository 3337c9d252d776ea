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

const isDrain = (text) => text.startsWith("SELECT event_id") && text.includes("published_at IS NULL");
const isRepublish = (text) => text.startsWith("SELECT outbox.event_id") && text.includes("FOR UPDATE OF outbox SKIP LOCKED");
const isPropagation = (text) => text.startsWith("SELECT count(*)");

/** A database with so many waiting events, and so many that were lost on their way; batches as the statement says. */
function withOutbox(count, lost = 0) {
  let left = count;
  let unreceived = lost;
  return fakeDatabase((text) => {
    if (isDrain(text)) {
      const batch = waiting(Math.min(Number(/LIMIT (\d+)/.exec(text)[1]), left));
      left -= batch.length;
      return batch;
    }
    if (isRepublish(text)) {
      const batch = waiting(Math.min(Number(/LIMIT (\d+)/.exec(text)[1]), unreceived));
      unreceived -= batch.length;
      return batch;
    }
    return isPropagation(text) ? [{ waiting: unreceived, slowest: 1_234.5 }] : [];
  });
}

const outcomes = (database) => database.statements.filter(({ text }) => text.startsWith("UPDATE")).map(({ values }) => values[1]);
const drained = { published: 0, failed: 0, republished: 0, propagationMs: 1_235, waiting: 0 };

test("the schedule publishes all that waits a minute, of either region, batch by batch", async () => {
  const database = withOutbox(23);
  const { application, entries } = fakeApplication({ database });
  assert.deepEqual(await application.handle(SCHEDULE, CONTEXT), { ...drained, published: 23 });
  assert.equal(entries.length, 23);
  assert.deepEqual(JSON.parse(entries[0].Detail), { eventId: "event-0", region: "us-west-2", publishedBy: "us-east-1" });
  const selects = database.statements.filter(({ text }) => isDrain(text));
  assert.deepEqual(selects.map(({ values }) => values), Array(3).fill([null, 60]));
  assert.match(database.statements[1].text, /INSERT INTO public.heartbeats/);
  assert.deepEqual(database.statements[1].values, ["us-east-1"]);
  assert.match(database.statements.at(-2).text, /DELETE FROM public.outbox/);
});

for (const count of [0, 1, 9, 10, 11, 20]) {
  test(`an outbox of ${count} events is published as ${count}, none counted twice, and the bus is never called for none`, async () => {
    const database = withOutbox(count);
    const sizes = [];
    const putEvents = async (batch) => {
      sizes.push(batch.length);
      return batch.map(() => undefined);
    };
    const { application } = fakeApplication({ database, aws: { putEvents } });
    assert.deepEqual(await application.handle(SCHEDULE, CONTEXT), { ...drained, published: count });
    assert.equal(sizes.reduce((sum, size) => sum + size, 0), count);
    assert.ok(sizes.every((size) => size > 0 && size <= 10));
    // A batch that was full may have left others behind; one that wasn't has not.
    assert.equal(database.statements.filter(({ text }) => isDrain(text)).length, Math.floor(count / 10) + 1);
    assert.equal(outcomes(database).length, sizes.length);
  });
}

test("an event that the bus refuses stays, its code beside it, and the function fails for the alarm", async () => {
  const database = withOutbox(2);
  const putEvents = async () => [undefined, "ThrottlingException"];
  const { application, lines } = fakeApplication({ database, aws: { putEvents } });
  await assert.rejects(application.handle(SCHEDULE, CONTEXT), /1 events not taken by bus bus-app-us-east-1-test/);
  assert.deepEqual(outcomes(database), [[null, "ThrottlingException"]]);
  assert.deepEqual(lines.find(({ message: text }) => text === "events not published").codes, ["ThrottlingException"]);
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
  assert.deepEqual(await application.handle(SCHEDULE, context), { ...drained, published: 10 });
  assert.equal(entries.length, 10);
});

for (const [reason, error] of [
  ["unreachable", sqlError("57P01")],
  ["unreachable", new Error("Connection terminated unexpectedly")],
  ["name_unresolved", Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND", syscall: "getaddrinfo" })],
  ["read_only", sqlError("25006")],
]) {
  test(`trap 57: the schedule returns while the writer is away (${reason}, ${error.code ?? error.message}), and logs why`, async () => {
    const database = fakeDatabase(() => {
      throw error;
    });
    const { application, lines, entries } = fakeApplication({ database });
    assert.deepEqual(await application.handle(SCHEDULE, CONTEXT), { published: 0, failed: 0, waitsFor: reason });
    assert.deepEqual(entries, []);
    const line = lines.find(({ message }) => message === "outbox waits for the writer");
    assert.deepEqual([line.level, line.reason], ["warn", reason]);
    assert.ok(lines.every(({ level }) => level !== "error"));
  });
}

test("trap 57: the schedule returns while the secret's service hangs, and fails where it refuses", async () => {
  const fails = (name) => fakeApplication({
    database: fakeDatabase(() => ({ rows: [] })),
    aws: {
      readSecret: async () => {
        throw Object.assign(new Error("secret"), { name });
      },
    },
  });
  const hung = fails("TimeoutError");
  const waits = { published: 0, failed: 0, waitsFor: "credentials_unreadable" };
  assert.deepEqual(await hung.application.handle(SCHEDULE, CONTEXT), waits);
  assert.ok(hung.lines.every(({ level }) => level !== "error"));
  const refused = fails("AccessDeniedException");
  await assert.rejects(refused.application.handle(SCHEDULE, CONTEXT), /credentials can't be read/);
});

test("H28: a schedule whose credentials are refused, or whose schema is missing, fails for the alarm", async () => {
  for (const code of ["28P01", "42P01", "53300"]) {
    const database = fakeDatabase(() => {
      throw sqlError(code);
    });
    const { application, lines } = fakeApplication({ database });
    await assert.rejects(application.handle(SCHEDULE, CONTEXT), { code: "writer_unavailable" });
    assert.equal(lines.at(-1).cause.code, code);
  }
});

test("trap 58: what this region holds no receipt for is published anew, marked, and counted", async () => {
  const database = withOutbox(0, 13);
  const { application, entries } = fakeApplication({ database });
  assert.deepEqual(await application.handle(SCHEDULE, CONTEXT), { ...drained, republished: 13, waiting: 13 });
  assert.equal(entries.length, 13);
  assert.equal(JSON.parse(entries[0].Detail).publishedBy, "us-east-1");
  const marks = database.statements.filter(({ text }) => text.startsWith("INSERT INTO public.republications"));
  assert.deepEqual(marks.map(({ values }) => [values[0], values[1].length]), [["us-east-1", 10], ["us-east-1", 3]]);
  assert.deepEqual(database.statements.filter(({ text }) => isRepublish(text)).map(({ values }) => values), [["us-east-1"], ["us-east-1"]]);
});

test("trap 58: what the bus refuses is not marked, and the schedule fails for the alarm", async () => {
  const database = withOutbox(0, 3);
  const putEvents = async () => [undefined, "ThrottlingException", undefined];
  const { application } = fakeApplication({ database, aws: { putEvents } });
  await assert.rejects(application.handle(SCHEDULE, CONTEXT), /events of before the promotion not taken by bus bus-app-us-east-1-test/);
  const marks = database.statements.filter(({ text }) => text.startsWith("INSERT INTO public.republications"));
  assert.deepEqual(marks.map(({ values }) => values[1]), [["event-0", "event-2"]]);
});

test("trap 58: no new batch of events to publish anew is begun that could not end in time", async () => {
  const { application } = fakeApplication({ database: withOutbox(0, 30) });
  const result = await application.handle(SCHEDULE, { getRemainingTimeInMillis: () => 3_500 });
  assert.equal(result.republished, 10);
});

test("trap 71: the schedule puts EventPropagation, also when nothing travelled, as CloudWatch's embedded metric", async () => {
  const metricOf = async (slowest) => {
    const database = withOutbox(0);
    const { answer } = database;
    database.answer = (text, values) => (isPropagation(text) ? [{ waiting: 0, slowest }] : answer(text, values));
    const { application, lines } = fakeApplication({ database, variables: { ENVIRONMENT_SUFFIX: "test" } });
    await application.handle(SCHEDULE, CONTEXT);
    return lines.find(({ _aws }) => _aws);
  };
  const line = await metricOf(61_000.4);
  assert.deepEqual([line.EventPropagation, line.EnvironmentSuffix], [61_000, "test"]);
  assert.deepEqual(line._aws.CloudWatchMetrics, [
    { Namespace: "WarmStandby", Dimensions: [["EnvironmentSuffix"]], Metrics: [{ Name: "EventPropagation", Unit: "Milliseconds" }] },
  ]);
  assert.ok(Math.abs(line._aws.Timestamp - Date.now()) < 60_000);
  // The receipt of an event may be written before its publication is marked.
  assert.equal((await metricOf(-3)).EventPropagation, 0);
});

const INPUT = {
  headers: { "content-type": "application/json", "idempotency-key": "k" },
  body: JSON.stringify({ patientId: "p", type: "note", data: {} }),
};
const stored = { id: "i", created_at: createdAt };

test("a write succeeds though its event can't be published now, and asks only for its own region's, of any age", async () => {
  const database = fakeDatabase((text) => {
    if (text.includes("INSERT INTO public.records")) {
      return [stored];
    }
    if (text.includes("SKIP LOCKED")) {
      throw sqlError("57014");
    }
    return [];
  });
  const { application, lines } = fakeApplication({ database });
  assert.equal((await call(application, "POST", "/records", INPUT)).status, 201);
  assert.equal(lines[0].message, "events left to the schedule");
  const asked = database.statements.filter(({ text }) => isDrain(text));
  assert.deepEqual(asked.map(({ values }) => values), [["us-east-1", 0]]);
});

test("a write publishes at once what its region has waiting, when three seconds are left", async () => {
  const database = fakeDatabase((text) => (isDrain(text) ? waiting(2) : text.includes("INSERT INTO public.records") ? [stored] : []));
  const { application, entries } = fakeApplication({ database });
  const event = { requestContext: { elb: {} }, httpMethod: "POST", path: "/records", ...INPUT };
  const response = await application.handle(event, { getRemainingTimeInMillis: () => 4_200 });
  assert.equal(response.statusCode, 201);
  assert.equal(entries.length, 2);
  assert.deepEqual(outcomes(database), [[null, null]]);
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

/** A database that keeps receipts as PostgreSQL does. */
function withReceipts() {
  const seen = new Set();
  const database = fakeDatabase((text, values) => {
    if (text.includes("withdrawn_at")) {
      return [];
    }
    const fresh = [...new Set(values[1])].filter((key) => !seen.has(`${values[0]},${key}`));
    fresh.forEach((key) => seen.add(`${values[0]},${key}`));
    return fresh;
  });
  return { database, seen };
}

test("trap 27: an event leaves one receipt in this region, however often it is delivered", async () => {
  const { database, seen } = withReceipts();
  const { application } = fakeApplication({ database });
  assert.deepEqual(await application.handle(EVENT, CONTEXT), { received: true });
  assert.deepEqual(await application.handle(EVENT, CONTEXT), { received: false });
  assert.deepEqual([...seen], ["us-east-1,event-1"]);
  assert.match(database.statements[1].text, /ON CONFLICT DO NOTHING/);
});

const message = (messageId, event) => ({ messageId, eventSource: "aws:sqs", body: typeof event === "string" ? event : JSON.stringify(event) });
const eventOf = (eventId, more = {}) => ({ ...EVENT, detail: { eventId, ...more } });

test("trap 57: a batch from the queue is stored in one transaction; only what is no event of ours is given back", async () => {
  const { database, seen } = withReceipts();
  const { application, lines } = fakeApplication({ database });
  const Records = [
    message("m1", eventOf("event-1")),
    message("m2", "{"),
    message("m3", eventOf("event-2")),
    message("m4", { ...EVENT, source: "aws.s3" }),
    message("m5", eventOf("event-1")),
    message("m6", "null"),
  ];
  assert.deepEqual(await application.handle({ Records }, CONTEXT), {
    batchItemFailures: ["m2", "m4", "m6"].map((itemIdentifier) => ({ itemIdentifier })),
  });
  assert.deepEqual([...seen], ["us-east-1,event-1", "us-east-1,event-2"]);
  assert.equal(database.statements.filter(({ text }) => text === "COMMIT").length, 1);
  assert.equal(lines.filter(({ message: text }) => text === "message refused").length, 3);
});

test("trap 57: while the writer is away every message stays in the queue, the function succeeds, and waits once", async () => {
  const database = fakeDatabase(() => {
    throw sqlError("57P01");
  });
  const { application, lines } = fakeApplication({ database });
  const Records = Array.from({ length: 10 }, (_, index) => message(`m${index}`, eventOf(`event-${index}`)));
  const { batchItemFailures } = await application.handle({ Records }, CONTEXT);
  assert.deepEqual(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier), Records.map(({ messageId }) => messageId));
  assert.equal(database.statements.filter(({ text }) => text.includes("receipts")).length, 2);
  assert.equal(lines.at(-1).message, "events stay in the queue");
});

test("a batch without any event of ours asks no database", async () => {
  const { application, database } = fakeApplication();
  const { batchItemFailures } = await application.handle({ Records: [message("m1", "x")] }, CONTEXT);
  assert.deepEqual(batchItemFailures, [{ itemIdentifier: "m1" }]);
  assert.equal(database.statements.length, 0);
});

for (const event of [{ Records: [] }, { Records: [{ eventSource: "aws:sns" }] }, { Records: [null] }]) {
  test(`${JSON.stringify(event)} is no batch from a queue and is refused whole`, async () => {
    await assert.rejects(fakeApplication().application.handle(event, CONTEXT), /event refused/);
  });
}

test("record.withdrawn leaves its own receipt and marks the withdrawn event's, also one that is yet to come", async () => {
  const { database } = withReceipts();
  const { application } = fakeApplication({ database });
  const withdrawal = { ...eventOf("event-9", { withdraws: "event-1" }), "detail-type": "record.withdrawn" };
  assert.deepEqual(await application.handle(withdrawal, CONTEXT), { received: true });
  const [first, second] = database.statements.filter(({ text }) => text.includes("public.receipts"));
  assert.deepEqual(first.values, ["us-east-1", ["event-9"]]);
  assert.deepEqual(second.values, ["us-east-1", ["event-1"]]);
  assert.match(second.text, /DO UPDATE SET withdrawn_at/);
  await assert.rejects(application.handle({ ...withdrawal, detail: { eventId: "event-9" } }, CONTEXT), /must carry detail.withdraws/);
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

test("GET /receipts?key=… says which regions have the event", async () => {
  const database = fakeDatabase(() => [
    { region: "us-east-1", received_at: createdAt, withdrawn_at: null },
    { region: "us-west-2", received_at: createdAt, withdrawn_at: createdAt },
  ]);
  const { application } = fakeApplication({ database });
  const response = await call(application, "GET", "/receipts", { query: { key: "event-1" } });
  assert.deepEqual(response.body, {
    key: "event-1",
    receipts: [
      { region: "us-east-1", receivedAt: "1970-01-01T00:00:00.000Z" },
      { region: "us-west-2", receivedAt: "1970-01-01T00:00:00.000Z", withdrawnAt: "1970-01-01T00:00:00.000Z" },
    ],
  });
  assert.equal((await call(application, "GET", "/receipts")).status, 400);
});
