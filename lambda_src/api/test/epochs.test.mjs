import assert from "node:assert/strict";
import test from "node:test";
import { createEpochs } from "../src/epochs.mjs";
import { readEnvironment } from "../src/environment.mjs";
import { CONTEXT, albEvent, fakeApplication, fakeDatabase } from "./support.mjs";

const PARAMETERS = [{ name: "/own" }, { name: "/peer", region: "us-west-2" }];

/** Epochs whose parameters answer what `answers` holds; an Error is thrown. */
function create(answers, parameters = PARAMETERS) {
  const asked = [];
  const warned = [];
  const clock = { time: 0 };
  const readParameter = async (name, region) => {
    asked.push([name, region]);
    const answer = await answers[name];
    if (answer instanceof Error) {
      throw answer;
    }
    return answer;
  };
  const logger = { warn: (message, fields) => warned.push(fields) };
  return { epochs: createEpochs({ parameters, readParameter, logger, now: () => clock.time }), asked, warned, clock };
}

test("H26: the newest epoch is the largest of both regions' parameters and the database's, and never goes back", async () => {
  const answers = { "/own": "3", "/peer": "5" };
  const { epochs, asked, clock } = create(answers);
  assert.equal(epochs.known(), 0);
  await epochs.refresh();
  assert.equal(epochs.known(), 5);
  assert.deepEqual(asked, [["/own", undefined], ["/peer", "us-west-2"]]);
  epochs.adopt(4);
  assert.equal(epochs.known(), 5);
  epochs.check(5);
  assert.throws(() => epochs.check(4), { name: "DemotedError", message: "the writer is of epoch 4, the newest known is 5" });
  epochs.adopt(6);
  answers["/peer"] = "7";
  clock.time = 4_999;
  await epochs.refresh();
  assert.equal(epochs.known(), 6);
  assert.equal(asked.length, 2);
  clock.time = 5_000;
  await epochs.refresh();
  assert.deepEqual([epochs.known(), asked.length], [7, 4]);
});

test("H26: a parameter that can't be read, or holds no epoch, leaves the last known one", async () => {
  const answers = { "/own": "3", "/peer": Object.assign(new Error("x"), { name: "ParameterNotFound" }) };
  const { epochs, warned, clock } = create(answers);
  await epochs.refresh();
  assert.equal(epochs.known(), 3);
  answers["/own"] = "4 or so";
  clock.time = 5_000;
  await epochs.refresh();
  assert.equal(epochs.known(), 3);
  assert.deepEqual(warned.map(({ parameter, error }) => `${parameter} ${error}`).toSorted(), [
    "/own MalformedEpoch",
    "/peer ParameterNotFound",
    "/peer ParameterNotFound",
  ]);
  assert.deepEqual(warned.map(({ known }) => known).toSorted().at(-1), 3);
});

test("H26: a lost region's parameter is waited for half a second, and read on beside", async () => {
  let answer;
  const { epochs } = create({ "/own": "1", "/peer": new Promise((resolve) => (answer = resolve)) });
  const started = Date.now();
  await epochs.refresh();
  const elapsed = Date.now() - started;
  assert.ok(elapsed >= 450 && elapsed < 1_500, `${elapsed} ms`);
  assert.equal(epochs.known(), 1);
  answer("2");
  await epochs.refresh();
  assert.equal(epochs.known(), 2);
});

test("H26: whoever has read no region's epoch confirms no writer, asks again after a second and waits for the answer", async () => {
  const unreadable = Object.assign(new Error("x"), { name: "TimeoutError" });
  let answer;
  const answers = { "/own": unreadable, "/peer": new Promise((resolve) => (answer = resolve)) };
  const { epochs, asked, clock } = create(answers);
  // The database's own epoch says nothing of whether it is the newest.
  epochs.adopt(3);
  assert.equal(epochs.isCompared(), false);
  assert.throws(() => epochs.confirm(3), { name: "UncomparedError" });
  const started = Date.now();
  setTimeout(() => answer(unreadable), 700);
  await epochs.refresh();
  assert.ok(Date.now() - started >= 650);
  assert.throws(() => epochs.confirm(3), { name: "UncomparedError" });
  Object.assign(answers, { "/own": "3", "/peer": unreadable });
  clock.time = 999;
  await epochs.refresh();
  assert.equal(asked.length, 2);
  clock.time = 1_000;
  await epochs.refresh();
  assert.deepEqual([asked.length, epochs.isCompared()], [4, true]);
  epochs.confirm(3);
  assert.throws(() => epochs.confirm(2), { name: "DemotedError" });
  // Known once, it stands: a parameter store that fails later stops no write.
  answers["/own"] = unreadable;
  clock.time = 6_000;
  await epochs.refresh();
  epochs.confirm(3);
});

test("H26: parameters that aren't configured are not asked", () => {
  const of = (variables) => readEnvironment(variables).epochParameters;
  assert.deepEqual(of({}), []);
  assert.deepEqual(of({ EPOCH_PARAMETER: "/a", PEER_EPOCH_PARAMETER: "/b" }), [{ name: "/a" }]);
  assert.deepEqual(of({ EPOCH_PARAMETER: "/a", PEER_EPOCH_PARAMETER: "/b", PEER_REGION: "us-west-2" }), [
    { name: "/a" },
    { name: "/b", region: "us-west-2" },
  ]);
});

const RECORD = { patientId: "patient-1", type: "note", data: {} };
const CREATED = { source: "warm-standby.app", "detail-type": "record.created", detail: { eventId: "event-1" } };
const WITHDRAWN = { ...CREATED, "detail-type": "record.withdrawn", detail: { eventId: "event-2", withdraws: "event-1" } };

for (const [what, event, outcome] of [
  [
    "a record",
    albEvent("POST", "/records", {
      headers: { "content-type": "application/json", "idempotency-key": "key-1" },
      body: JSON.stringify(RECORD),
    }),
    (answer) => assert.deepEqual([answer.statusCode, JSON.parse(answer.body).error.code], [503, "writer_demoted"]),
  ],
  ["an event's receipt", CREATED, (error) => assert.equal(error.code, "writer_demoted")],
  ["a withdrawal", WITHDRAWN, (error) => assert.equal(error.code, "writer_demoted")],
  [
    "a batch of receipts",
    { Records: [{ messageId: "m", eventSource: "aws:sqs", body: JSON.stringify(CREATED) }] },
    (answer) => assert.deepEqual(answer, { batchItemFailures: [{ itemIdentifier: "m" }] }),
  ],
  [
    "beat, outbox and purge of the schedule",
    { source: "warm-standby.schedule", "detail-type": "outbox.drain" },
    (answer) => assert.equal(answer.waitsFor, "demoted"),
  ],
]) {
  test(`H26: ${what}: on a writer that is known to be demoted not one statement is sent, and nothing is published`, async () => {
    const database = fakeDatabase();
    database.epoch = "2";
    const { application, entries } = fakeApplication({ database });
    // The newest epoch that this instance has seen, by the feed or by a write, counts as well.
    await application.handle({ Records: [{ messageId: "m", eventSource: "aws:sqs", body: JSON.stringify(CREATED) }] }, CONTEXT);
    database.statements.length = 0;
    database.epoch = "1";
    outcome(await application.handle(event, CONTEXT).catch((error) => error));
    assert.deepEqual(database.statements.map(({ text }) => text), ["BEGIN", "BEGIN"]);
    assert.deepEqual(entries, []);
  });
}
