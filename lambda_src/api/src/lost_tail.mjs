/**
 * What an old writer acknowledged and never replicated: compared record by record, inside the VPC, with
 * what the present writer holds, and replayed there when asked to. No patient data leaves this function.
 *
 * The old volume is a cluster of its own, restored from its snapshot under a name that only
 * `./inv recovery.reconcile` gives.
 */
import { DemotedError } from "./epochs.mjs";
import { RECORD_CREATED } from "./records.mjs";

const PAGE = 100;
const RESTORED = /^aurora-cluster-lost-tail-[a-z0-9-]+\.cluster-[a-z0-9]+\.[a-z0-9-]+\.rds\.amazonaws\.com$/;

/** A volume that was lost before the schema's third step has no `replayed_at`. */
const KNOWS_REPLAYS = `SELECT EXISTS (SELECT FROM pg_attribute
  WHERE attrelid = 'public.records'::regclass AND attname = 'replayed_at') AS knows`;
/** By when they were stored there: a record that was replayed and lost again is older by its creation. */
const read = (storedAt) => `SELECT sequence::text, id, idempotency_key, request_hash, event_id, patient_id, type, data::text,
    attachment::text, region, created_at::text, attachment->>'key' AS attachment_key
  FROM public.records WHERE ${storedAt} >= $1 AND sequence > $2 ORDER BY sequence LIMIT ${PAGE}`;
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
const ORPHANED = `SELECT event_key, received_at FROM public.receipts
  WHERE region = $2 AND received_at >= $1 AND withdrawn_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM public.records WHERE records.event_id::text = receipts.event_key)
  ORDER BY received_at LIMIT ${PAGE}`;

/**
 * @param {{id: string, idempotency_key: string, request_hash: string}} row of the old volume
 * @param {{id: string, idempotency_key: string, request_hash: string}[]} known of the present writer
 * @returns {"held" | "repeated" | "conflict" | "lost"} repeated: the client sent it again since; conflict:
 *   another request came under its key
 */
export function fate(row, known) {
  if (known.some(({ id }) => id === row.id)) {
    return "held";
  }
  const other = known.find((record) => record.idempotency_key === row.idempotency_key);
  if (!other) {
    return "lost";
  }
  return other.request_hash === row.request_hash ? "repeated" : "conflict";
}

/**
 * @param {object} event
 * @throws {Error} naming the field
 */
export function checkTailEvent({ host, since, after, replay, epoch }) {
  if (typeof host !== "string" || !RESTORED.test(host)) {
    throw new Error("probe: host must be the endpoint of a cluster that recovery.reconcile restored");
  }
  if (typeof since !== "string" || Number.isNaN(Date.parse(since))) {
    throw new Error("probe: since must be a time");
  }
  if (typeof after !== "string" || !/^[0-9]{1,19}$/.test(after) || typeof replay !== "boolean") {
    throw new Error("probe: compare_tail needs after, a sequence number as text, and replay, true or false");
  }
  if (!Number.isSafeInteger(epoch) || epoch < 1) {
    throw new Error("probe: compare_tail needs epoch, the newest that is known, a whole number from 1");
  }
}

/**
 * One page of the old volume.
 *
 * @param {{query: Function}} client of the old volume
 * @param {{since: string, after: string}} event
 */
export async function readTail(client, { since, after }) {
  const { rows: schema } = await client.query(KNOWS_REPLAYS);
  const { rows } = await client.query(read(schema[0].knows ? "greatest(created_at, replayed_at)" : "created_at"), [since, after]);
  return { rows, next: rows.length === PAGE ? rows.at(-1).sequence : null };
}

async function replayRows(client, lost) {
  if (lost.length === 0) {
    return new Set();
  }
  const values = COLUMNS.map((column) => lost.map((row) => row[column]));
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
async function checkEpoch(client, epoch) {
  const { rows } = await client.query("SELECT epoch FROM recovery.epoch");
  if (Number(rows[0].epoch) < epoch) {
    throw new DemotedError(Number(rows[0].epoch), epoch);
  }
}

/**
 * Compares a page with the present writer, and replays what it lost: id, event id and creation time stay.
 *
 * @param {{query: Function}} client of the present writer
 * @param {{rows: object[], next: string | null}} page
 * @param {{since: string, replay: boolean, region: string, epoch: number}} options
 * @returns {Promise<object>} counts, the records that aren't held, and, with the last page, receipts of events
 *   whose record is gone
 * @throws {DemotedError} before anything is compared or written
 */
export async function compareTail(client, { rows, next }, { since, replay, region, epoch }) {
  await checkEpoch(client, epoch);
  const { rows: known } = await client.query(KNOWN, [
    rows.map((row) => row.id),
    rows.map((row) => row.idempotency_key),
  ]);
  const fates = rows.map((row) => ({ row, is: fate(row, known) }));
  const lost = fates.filter(({ is }) => is === "lost").map(({ row }) => row);
  const replayed = await replayRows(client, replay ? lost : []);
  const counts = { held: 0, repeated: 0, conflict: 0, lost: 0, replayed: 0 };
  const records = [];
  for (const { row, is } of fates) {
    const became = replayed.has(row.id) ? "replayed" : is;
    counts[became] += 1;
    if (is === "lost" || is === "conflict") {
      const { id, event_id: eventId, created_at: createdAt, attachment_key: attachment } = row;
      records.push({ id, event_id: eventId, created_at: createdAt, attachment, fate: became });
    }
  }
  const { rows: orphaned } = next === null ? await client.query(ORPHANED, [since, region]) : { rows: [] };
  return { counts, records, next, orphaned: orphaned.map(({ event_key: key }) => key) };
}
