import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import test from "node:test";
import { fate } from "../src/lost_tail.mjs";
import { fakeApplication } from "./support.mjs";

const OLD = "aurora-cluster-lost-tail-us-east-1-lab.cluster-abc123.us-east-1.rds.amazonaws.com";
const SINCE = "2026-01-02T03:00:00Z";
const NEWEST = "9223372036854775807";
const EVENT = { action: "compare_tail", host: OLD, since: SINCE, before: NEWEST, mode: "list", epoch: 2 };
const ORPHANS = { action: "find_orphans", since: SINCE, after: "", withdraw: false, epoch: 2 };
const ATTACHMENTS = { action: "list_attachments", since: SINCE, before: NEWEST, epoch: 2 };

const row = (number, more = {}) => ({
  sequence: String(number),
  id: `id-${number}`,
  idempotency_key: `key-${number}`,
  request_hash: `hash-${number}`,
  event_id: `event-${number}`,
  patient_id: "p-1",
  type: "note",
  data: "{}",
  attachment: null,
  attachment_key: null,
  region: "us-east-1",
  created_at: "2026-01-02 03:04:05.678901+00",
  is_young: true,
  ...more,
});

/** The probe over an old volume and a present writer, as lists of rows. */
function comparing({ old = [], present = [], orphaned = [], attached = [], withdrawn = [], epoch = "2", knows = true } = {}) {
  const seen = [];
  const answer = (host, text, values) => {
    if (text.includes("pg_attribute")) {
      return [{ knows }];
    }
    if (text === "SELECT epoch FROM recovery.epoch") {
      return [{ epoch }];
    }
    if (host === OLD) {
      return old;
    }
    if (text.startsWith("SELECT id, idempotency_key")) {
      return present;
    }
    if (text.startsWith("WITH replayed")) {
      return values[0].filter((id) => id !== "id-taken").map((id) => ({ id }));
    }
    if (text.startsWith("INSERT INTO public.outbox")) {
      return [];
    }
    if (text.startsWith("SELECT sequence::text, id, attachment")) {
      return attached;
    }
    const keys = text.startsWith("SELECT event_key") ? withdrawn : orphaned;
    return keys.map((key) => ({ event_key: key }));
  };
  const createClient = async ({ host }) =>
    Object.assign(new EventEmitter(), {
      connect: async () => {},
      query: async (text, values) => {
        seen.push([host, text, values]);
        return { rows: answer(host, text, values) };
      },
      end: async () => {},
    });
  const { application, lines } = fakeApplication({
    variables: { DATABASE_WRITER_ENDPOINT: "writer.test" },
    createClient,
  });
  return { probe: application.probe, seen, lines };
}

/** What was asked to be withdrawn: the publishing region, events' keys, records' ids. */
const withdrawals = (seen) =>
  seen.filter(([, text]) => text.startsWith("INSERT INTO public.outbox")).map(([host, , values]) => [host, ...values]);

const COUNTS = { held: 0, repeated: 0, conflict: 0, lost: 0, replayed: 0, withdrawn: 0 };

test("a record's fate follows from id, key, hash and whether its event was withdrawn", () => {
  const lost = row(1);
  const gone = new Set(["event-1"]);
  assert.equal(fate(lost, []), "lost");
  assert.equal(fate(lost, [row(1)], gone), "held");
  assert.equal(fate(lost, [row(2, { idempotency_key: "key-1", request_hash: "hash-1" })], gone), "repeated");
  const other = row(2, { idempotency_key: "key-1" });
  assert.equal(fate(lost, [other]), "conflict");
  assert.equal(fate(lost, [other], gone), "withdrawn");
  assert.equal(fate(lost, [], gone), "withdrawn");
});

const PRESENT = [row(1), row(9, { idempotency_key: "key-2", request_hash: "hash-2" }), row(8, { idempotency_key: "key-3" })];
const LOST = row(4, { attachment_key: "attachments/a" });
const MIXED = { old: [row(5), LOST, row(3), row(2), row(1)], present: PRESENT, withdrawn: ["event-5"] };

test("an old volume's page is compared where the present writer is, and no patient data leaves", async () => {
  const { probe, seen, lines } = comparing(MIXED);
  const found = await probe(EVENT);
  const named = { created_at: LOST.created_at, attachment: null };
  assert.deepEqual(found, {
    counts: { ...COUNTS, held: 1, repeated: 1, conflict: 1, lost: 1, withdrawn: 1 },
    records: [
      { id: "id-5", event_id: "event-5", ...named, fate: "withdrawn" },
      { id: "id-4", event_id: "event-4", ...named, attachment: "attachments/a", fate: "lost" },
      { id: "id-3", event_id: "event-3", ...named, fate: "conflict" },
    ],
    next: null,
  });
  assert.deepEqual(seen[1].slice(0, 1).concat(seen[1][2]), [OLD, SINCE, NEWEST]);
  assert.ok(!seen.some(([, text]) => /INSERT|^WITH replayed/.test(text)), "nothing is written unless asked to");
  assert.ok(!JSON.stringify([found, lines]).includes("p-1"));
});

test("an accepted loss is withdrawn by name, once, and what was repeated as well", async () => {
  const { probe, seen } = comparing(MIXED);
  const found = await probe({ ...EVENT, mode: "accept" });
  assert.deepEqual(found.counts, { ...COUNTS, held: 1, repeated: 1, withdrawn: 3 });
  assert.deepEqual(found.records.map(({ id, fate: is }) => [id, is]), [
    ["id-5", "withdrawn"],
    ["id-4", "withdrawn"],
    ["id-3", "withdrawn"],
  ]);
  assert.deepEqual(withdrawals(seen), [
    ["writer.test", "us-east-1", ["event-4", "event-3", "event-2"], ["id-4", "id-3", "id-2"]],
  ]);
  assert.ok(!seen.some(([, text]) => text.startsWith("WITH replayed")));
});

test("replayed are those that were lost, oldest first, with id, event id and creation time, announced once", async () => {
  const taken = row(6, { id: "id-taken" });
  const again = row(9, { idempotency_key: "key-7", request_hash: "hash-7" });
  const { probe, seen } = comparing({ old: [row(7), taken, row(5), row(4)], present: [row(5), again] });
  const found = await probe({ ...EVENT, mode: "replay" });
  assert.deepEqual(found.counts, { ...COUNTS, held: 1, repeated: 1, lost: 1, replayed: 1 });
  assert.deepEqual(
    found.records.map(({ id, fate: is }) => [id, is]),
    [
      ["id-taken", "lost"],
      ["id-4", "replayed"],
    ],
  );
  const [host, , values] = seen.find(([, text]) => text.startsWith("WITH replayed"));
  assert.equal(host, "writer.test");
  assert.deepEqual(values[0], ["id-4", "id-taken"]);
  assert.deepEqual(
    values.map((value) => (Array.isArray(value) ? value[0] : value)),
    ["id-4", "key-4", "hash-4", "event-4", "p-1", "note", "{}", null, "us-east-1", taken.created_at, "record.created"],
  );
  // The client has it under another id: what was reported first is nowhere.
  assert.deepEqual(withdrawals(seen), [["writer.test", "us-east-1", ["event-7"], ["id-7"]]]);
});

test("nothing is written where nothing was lost", async () => {
  for (const old of [[row(1)], []]) {
    const { probe, seen } = comparing({ old, present: [row(1)] });
    const found = await probe({ ...EVENT, mode: "replay" });
    assert.deepEqual(found.counts, { ...COUNTS, held: old.length });
    assert.ok(!seen.some(([, text]) => /INSERT|^WITH replayed/.test(text)));
  }
});

test("a full page names where the next one begins, until one has nothing young", async () => {
  const old = Array.from({ length: 100 }, (_, number) => row(200 - number, { is_young: number === 0 }));
  const { probe } = comparing({ old, present: old });
  const found = await probe({ ...EVENT, before: "201" });
  assert.deepEqual([found.next, found.counts.held], ["101", 1]);
  const ended = comparing({ old: old.map((one) => ({ ...one, is_young: false })) });
  assert.deepEqual(await ended.probe(EVENT), { counts: COUNTS, records: [], next: null });
});

test("events whose record is gone are found by page, and withdrawn where asked", async () => {
  const orphaned = Array.from({ length: 100 }, (_, number) => `event-${number}`);
  const { probe, seen } = comparing({ orphaned });
  assert.deepEqual(await probe(ORPHANS), { orphaned, next: "event-99" });
  assert.deepEqual(withdrawals(seen), []);
  const last = comparing({ orphaned: ["event-x"] });
  assert.deepEqual(await last.probe({ ...ORPHANS, after: "event-99", withdraw: true }), { orphaned: ["event-x"], next: null });
  assert.deepEqual(withdrawals(last.seen), [["writer.test", "us-east-1", ["event-x"], [null]]]);
  assert.deepEqual(last.seen[1][2], [SINCE, "event-99"]);
});

test("attachments that records name are listed by page, the newest first", async () => {
  const named = (number, key, isYoung = true) => ({ sequence: String(number), id: `id-${number}`, key, is_young: isYoung });
  const { probe } = comparing({ attached: [named(9, "attachments/a"), named(8, null), named(7, "attachments/b", false)] });
  const attachments = [{ id: "id-9", key: "attachments/a" }];
  assert.deepEqual(await probe(ATTACHMENTS), { attachments, newest: "9", next: null });
  const full = comparing({ attached: Array.from({ length: 500 }, (_, number) => named(900 - number, null)) });
  assert.deepEqual(await full.probe(ATTACHMENTS), { attachments: [], newest: "900", next: "401" });
  assert.deepEqual(await comparing().probe(ATTACHMENTS), { attachments: [], newest: "0", next: null });
});

test("H26: a demoted writer is compared with nothing, and nothing is replayed there", async () => {
  const modes = ["list", "replay", "accept"].map((mode) => ({ ...EVENT, mode }));
  for (const event of [...modes, { ...ORPHANS, withdraw: true }, ATTACHMENTS]) {
    const { probe, seen } = comparing({ old: [row(4)], orphaned: ["event-1"], epoch: "1" });
    await assert.rejects(probe(event), /the writer is of epoch 1, the newest known is 2/);
    assert.deepEqual(
      seen.filter(([host]) => host === "writer.test").map(([, text]) => text),
      ["SELECT epoch FROM recovery.epoch"],
    );
  }
  const { probe } = comparing({ old: [row(4)], epoch: "3" });
  assert.equal((await probe(EVENT)).counts.lost, 1);
});

test("what was replayed and lost again is found by its replay, also beside a volume of before that column", async () => {
  for (const [knows, by] of [[true, / greatest\(created_at, replayed_at\) >= \$1 AS/], [false, / created_at >= \$1 AS/]]) {
    const { probe, seen } = comparing({ old: [row(4)], knows });
    assert.equal((await probe(EVENT)).counts.lost, 1);
    assert.match(seen.find(([host, text]) => host === OLD && text.includes("sequence < $2"))[1], by);
  }
});

test("only a restored cluster is asked, and only with whole questions", async () => {
  const { probe, seen } = comparing();
  const wrong = [
    [{ host: "evil.example" }, /host must be/],
    [{ host: undefined }, /host must be/],
    [{ host: `${OLD}.evil.example` }, /host must be/],
    [{ since: "yesterday" }, /since must be/],
    [{ since: 1 }, /since must be/],
    [{ before: "1;" }, /before must be/],
    [{ before: 1 }, /before must be/],
    [{ mode: "yes" }, /mode must be one of list, replay, accept/],
    [{ epoch: undefined }, /epoch must be/],
    [{ epoch: 0 }, /epoch must be/],
    [{ action: "find_orphans" }, /needs after/],
    [{ ...ORPHANS, after: 1 }, /needs after/],
    [{ ...ORPHANS, since: "yesterday" }, /since must be/],
    [{ ...ATTACHMENTS, before: "" }, /before must be/],
    [{ ...ATTACHMENTS, epoch: 1.5 }, /epoch must be/],
  ];
  for (const [change, message] of wrong) {
    await assert.rejects(probe({ ...EVENT, ...change }), message);
  }
  assert.deepEqual(seen, []);
});
