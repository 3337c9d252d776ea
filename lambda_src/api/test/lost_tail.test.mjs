import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import test from "node:test";
import { fate } from "../src/lost_tail.mjs";
import { fakeApplication } from "./support.mjs";

const OLD = "aurora-cluster-lost-tail-us-east-1-lab.cluster-abc123.us-east-1.rds.amazonaws.com";
const SINCE = "2026-01-02T03:00:00Z";
const EVENT = { action: "compare_tail", host: OLD, since: SINCE, after: "0", replay: false, epoch: 2 };

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
  ...more,
});

/** The probe over an old volume and a present writer, as lists of rows. */
function comparing({ old = [], present = [], orphaned = [], epoch = "2", knows = true } = {}) {
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
    return orphaned.map((key) => ({ event_key: key }));
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

test("a record's fate follows from id, key and hash", () => {
  const lost = row(1);
  assert.equal(fate(lost, []), "lost");
  assert.equal(fate(lost, [row(1)]), "held");
  assert.equal(fate(lost, [row(2, { idempotency_key: "key-1", request_hash: "hash-1" })]), "repeated");
  assert.equal(fate(lost, [row(2, { idempotency_key: "key-1" })]), "conflict");
});

test("an old volume's page is compared where the present writer is, and no patient data leaves", async () => {
  const present = [row(1), row(9, { idempotency_key: "key-2", request_hash: "hash-2" }), row(8, { idempotency_key: "key-3" })];
  const lost = row(4, { attachment_key: "attachments/a" });
  const { probe, seen, lines } = comparing({ old: [row(1), row(2), row(3), lost], present, orphaned: ["event-7"] });
  const found = await probe(EVENT);
  assert.deepEqual(found, {
    counts: { held: 1, repeated: 1, conflict: 1, lost: 1, replayed: 0 },
    records: [
      { id: "id-3", event_id: "event-3", created_at: lost.created_at, attachment: null, fate: "conflict" },
      { id: "id-4", event_id: "event-4", created_at: lost.created_at, attachment: "attachments/a", fate: "lost" },
    ],
    next: null,
    orphaned: ["event-7"],
  });
  assert.deepEqual(seen[1].slice(0, 1).concat(seen[1][2]), [OLD, SINCE, "0"]);
  assert.ok(!seen.some(([, text]) => text.startsWith("WITH replayed")), "nothing is written unless asked to");
  assert.ok(!JSON.stringify([found, lines]).includes("p-1"));
});

test("replayed are those that were lost, with id, event id and creation time, and announced once", async () => {
  const taken = row(6, { id: "id-taken" });
  const { probe, seen } = comparing({ old: [row(4), row(5), taken], present: [row(5)] });
  const found = await probe({ ...EVENT, replay: true });
  assert.deepEqual(found.counts, { held: 1, repeated: 0, conflict: 0, lost: 1, replayed: 1 });
  assert.deepEqual(
    found.records.map(({ id, fate: is }) => [id, is]),
    [
      ["id-4", "replayed"],
      ["id-taken", "lost"],
    ],
  );
  const [host, , values] = seen.find(([, text]) => text.startsWith("WITH replayed"));
  assert.equal(host, "writer.test");
  assert.deepEqual(
    values.map((value) => (Array.isArray(value) ? value[0] : value)),
    ["id-4", "key-4", "hash-4", "event-4", "p-1", "note", "{}", null, "us-east-1", taken.created_at, "record.created"],
  );
});

test("nothing is written where nothing was lost", async () => {
  const { probe, seen } = comparing({ old: [row(1)], present: [row(1)] });
  const found = await probe({ ...EVENT, replay: true });
  assert.deepEqual(found.counts, { held: 1, repeated: 0, conflict: 0, lost: 0, replayed: 0 });
  assert.ok(!seen.some(([, text]) => text.startsWith("WITH replayed")));
});

test("a full page names where the next one begins, and leaves the receipts to the last", async () => {
  const old = Array.from({ length: 100 }, (_, number) => row(number + 1));
  const { probe, seen } = comparing({ old, present: old });
  const found = await probe({ ...EVENT, after: "7" });
  assert.deepEqual([found.next, found.orphaned, found.counts.held], ["100", [], 100]);
  assert.equal(seen.length, 4);
});

test("H26: a demoted writer is compared with nothing, and nothing is replayed there", async () => {
  for (const replay of [false, true]) {
    const { probe, seen } = comparing({ old: [row(4)], epoch: "1" });
    await assert.rejects(probe({ ...EVENT, replay }), /the writer is of epoch 1, the newest known is 2/);
    assert.deepEqual(
      seen.filter(([host]) => host === "writer.test").map(([, text]) => text),
      ["SELECT epoch FROM recovery.epoch"],
    );
  }
  const { probe } = comparing({ old: [row(4)], epoch: "3" });
  assert.equal((await probe(EVENT)).counts.lost, 1);
});

test("what was replayed and lost again is found by its replay, also beside a volume of before that column", async () => {
  for (const [knows, by] of [[true, /WHERE greatest\(created_at, replayed_at\) >= \$1/], [false, /WHERE created_at >= \$1/]]) {
    const { probe, seen } = comparing({ old: [row(4)], knows });
    assert.equal((await probe(EVENT)).counts.lost, 1);
    assert.match(seen.find(([host, text]) => host === OLD && text.includes("sequence > $2"))[1], by);
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
    [{ after: "1;" }, /needs after/],
    [{ after: 1 }, /needs after/],
    [{ replay: "yes" }, /needs after/],
    [{ epoch: undefined }, /needs epoch/],
    [{ epoch: 0 }, /needs epoch/],
  ];
  for (const [change, message] of wrong) {
    await assert.rejects(probe({ ...EVENT, ...change }), message);
  }
  assert.deepEqual(seen, []);
});
