/**
 * What an old writer acknowledged and never replicated: compared record by record, inside the VPC, with
 * what the present writer holds, and replayed there, or its loss accepted, when asked to. No patient data
 * leaves this function.
 *
 * The old volume is a cluster of its own, restored from its snapshot under a name that only
 * `./inv recovery.reconcile` gives.
 */
import { DemotedError } from "./epochs.mjs";
import { RECORD_CREATED } from "./records.mjs";
import { withdraw, withdrawnOf } from "./withdrawals.mjs";

const PAGE = 100;
const RESTORED = /^aurora-cluster-lost-tail-[a-z0-9-]+\.cluster-[a-z0-9]+\.[a-z0-9-]+\.rds\.amazonaws\.com$/;
/** What becomes of a record that is lost: nothing, it is stored again, or its event is withdrawn. */
const MODES = ["list", "replay", "accept"];
/** Who is withdrawn in which mode. A repeated record is there under another id: its first event names none. */
const WITHDRAWS = { list: [], replay: ["repeated"], accept: ["repeated", "conflict", "lost"] };

/** A volume that was lost before the schema's third step has no `replayed_at`. */
const KNOWS_REPLAYS = `SELECT EXISTS (SELECT FROM pg_attribute
  WHERE attrelid = 'public.records'::regclass AND attname = 'replayed_at') AS knows`;
/** By when they were stored there: a record that was replayed and lost again is older by its creation. */
export const STORED_AT = "greatest(created_at, replayed_at)";
/** By the number: a bare name in ORDER BY is the column of the answer, a text, where 999 comes after 1000. */
const read = (storedAt) => `SELECT sequence::text, id, idempotency_key, request_hash, event_id, patient_id, type, data::text,
    attachment::text, region, created_at::text, attachment->>'key' AS attachment_key, ${storedAt} >= $1 AS is_young
  FROM public.records WHERE sequence < $2 ORDER BY records.sequence DESC LIMIT ${PAGE}`;
const KNOWN = `SELECT id, idempotency_key, request_hash FROM public.records
  WHERE id = ANY($1::uuid[]) OR idempotency_key = ANY($2::text[])`;
/** One statement, and so one transaction: a record is announced if and only if it was replayed. */
const REPLAY = `WITH replayed AS (
    INSERT INTO public.records
      (id, idempotency_key, request_hash, event_id, patient_id, type, data, attachment, region, created_at,
       replayed_at)
    SELECT *, clock_timestamp() FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::jsonb[],
      $8::jsonb[], $9::text[], $10::timestamptz[])
    ON CONFLICT DO NOTHING RETURNING id, event_id, type, region, created_at
  ), announced AS (
    INSERT INTO public.outbox (event_id, region, detail_type, detail)
    SELECT event_id, region, $11, jsonb_build_object('eventId', event_id, 'recordId', id, 'type', type,
      'region', region, 'createdAt', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    FROM replayed ON CONFLICT (event_id) DO NOTHING
  ) SELECT id FROM replayed`;
const COLUMNS = [
  "id",
  "idempotency_key",
  "request_hash",
  "event_id",
  "patient_id",
  "type",
  "data",
  "attachment",
  "region",
  "created_at",
];

/**
 * @param {{id: string, idempotency_key: string, request_hash: string, event_id: string}} row of the old volume
 * @param {{id: string, idempotency_key: string, request_hash: string}[]} known of the present writer
 * @param {Set<string>} [withdrawn] events that were withdrawn already
 * @returns {"held" | "repeated" | "withdrawn" | "conflict" | "lost"} repeated: the client sent it again since;
 *   withdrawn: its loss was accepted; conflict: another request came under its key
 */
export function fate(row, known, withdrawn = new Set()) {
  if (known.some(({ id }) => id === row.id)) {
    return "held";
  }
  const other = known.find((record) => record.idempotency_key === row.idempotency_key);
  if (other?.request_hash === row.request_hash) {
    return "repeated";
  }
  if (withdrawn.has(row.event_id)) {
    return "withdrawn";
  }
  return other ? "conflict" : "lost";
}

/**
 * What every question about the lost tail carries.
 *
 * @param {object} event
 * @throws {Error} naming the field
 */
export function checkQuestion({ since, epoch }) {
  if (typeof since !== "string" || Number.isNaN(Date.parse(since))) {
    throw new Error("probe: since must be a time");
  }
  if (!Number.isSafeInteger(epoch) || epoch < 1) {
    throw new Error("probe: epoch must be the newest that is known, a whole number from 1");
  }
}

/**
 * @param {unknown} before a record's number as text
 * @throws {Error} naming it
 */
export function checkBefore(before) {
  if (typeof before !== "string" || !/^[0-9]{1,19}$/.test(before)) {
    throw new Error("probe: before must be a sequence number as text");
  }
}

/**
 * @param {object} event
 * @throws {Error} naming the field
 */
export function checkTailEvent({ host, mode, before, ...question }) {
  if (typeof host !== "string" || !RESTORED.test(host)) {
    throw new Error("probe: host must be the endpoint of a cluster that recovery.reconcile restored");
  }
  if (!MODES.includes(mode)) {
    throw new Error(`probe: mode must be one of ${MODES.join(", ")}`);
  }
  checkBefore(before);
  checkQuestion(question);
}

/**
 * One page of the old volume, the newest records first. It ends with the first page that has nothing
 * young enough: numbers are given out when records are made.
 *
 * @param {{query: Function}} client of the old volume
 * @param {{since: string, before: string}} event
 */
export async function readTail(client, { since, before }) {
  const { rows: schema } = await client.query(KNOWS_REPLAYS);
  const { rows } = await client.query(read(schema[0].knows ? STORED_AT : "created_at"), [since, before]);
  const young = rows.filter(({ is_young: isYoung }) => isYoung);
  return { rows: young, next: rows.length === PAGE && young.length > 0 ? rows.at(-1).sequence : null };
}

async function replayRows(client, lost) {
  if (lost.length === 0) {
    return new Set();
  }
  // Oldest first, as they were stored: so they get their new numbers.
  const values = COLUMNS.map((column) => lost.toReversed().map((row) => row[column]));
  const { rows } = await client.query(REPLAY, [...values, RECORD_CREATED]);
  return new Set(rows.map(({ id }) => id));
}

/**
 * A demoted volume holds its whole tail: compared with it nothing would seem lost, and what is
 * replayed there is (docs/hazards.md H26).
 *
 * @param {{query: Function}} client of what answers as the present writer
 * @param {number} epoch the newest that recovery knows
 * @throws {DemotedError}
 */
export async function checkEpoch(client, epoch) {
  const { rows } = await client.query("SELECT epoch FROM recovery.epoch");
  if (Number(rows[0].epoch) < epoch) {
    throw new DemotedError(Number(rows[0].epoch), epoch);
  }
}

/**
 * Compares a page with the present writer. What it lost is replayed where asked, and keeps id, event
 * id and creation time; or its loss is accepted, and consumers get the event that withdraws it.
 *
 * @param {{query: Function}} client of the present writer
 * @param {{rows: object[], next: string | null}} page
 * @param {{mode: "list" | "replay" | "accept", region: string, epoch: number}} options
 * @returns {Promise<object>} counts, and the records that neither are held nor were repeated
 * @throws {DemotedError} before anything is compared or written
 */
export async function compareTail(client, { rows, next }, { mode, region, epoch }) {
  await checkEpoch(client, epoch);
  const { rows: known } = await client.query(KNOWN, [
    rows.map((row) => row.id),
    rows.map((row) => row.idempotency_key),
  ]);
  const before = await withdrawnOf(client, rows.map((row) => row.event_id));
  const fates = rows.map((row) => ({ row, is: fate(row, known, before) }));
  const lost = fates.filter(({ is }) => is === "lost").map(({ row }) => row);
  const replayed = await replayRows(client, mode === "replay" ? lost : []);
  const taken = fates.filter(({ is }) => WITHDRAWS[mode].includes(is)).map(({ row }) => row);
  await withdraw(client, region, taken.map(({ event_id: event, id: record }) => ({ event, record })));
  const counts = { held: 0, repeated: 0, conflict: 0, lost: 0, replayed: 0, withdrawn: 0 };
  const records = [];
  for (const { row, is } of fates) {
    const isTaken = is !== "repeated" && WITHDRAWS[mode].includes(is);
    const became = isTaken ? "withdrawn" : replayed.has(row.id) ? "replayed" : is;
    counts[became] += 1;
    if (is !== "held" && is !== "repeated") {
      const { id, event_id: eventId, created_at: createdAt, attachment_key: attachment } = row;
      records.push({ id, event_id: eventId, created_at: createdAt, attachment, fate: became });
    }
  }
  return { counts, records, next };
}
