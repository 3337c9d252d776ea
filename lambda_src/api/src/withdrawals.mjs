/**
 * Events that take a lost record back: consumers in both regions learn that what `detail.withdraws`
 * reported is nowhere any more (docs/recovery.md 5).
 */
import { RECORD_WITHDRAWN } from "./receipts.mjs";

/** The withdrawal's own event id follows from the key of what it withdraws, so there is one of each. */
export const withdrawalOf = (key) => `md5('${RECORD_WITHDRAWN} ' || ${key})::uuid`;

/** Asked for, or received by a region already: the outbox forgets after a week. */
const WITHDRAWN = `SELECT event_key FROM public.receipts WHERE event_key = ANY($1::text[]) AND withdrawn_at IS NOT NULL
  UNION SELECT key FROM unnest($1::text[]) AS key
    WHERE EXISTS (SELECT FROM public.outbox WHERE outbox.event_id = ${withdrawalOf("key")})`;
const WITHDRAW = `INSERT INTO public.outbox (event_id, region, detail_type, detail)
  SELECT ${withdrawalOf("key")}, $1, '${RECORD_WITHDRAWN}', jsonb_strip_nulls(jsonb_build_object(
    'eventId', ${withdrawalOf("key")}, 'withdraws', key, 'recordId', record, 'region', $1::text))
  FROM unnest($2::text[], $3::text[]) AS taken (key, record) ON CONFLICT (event_id) DO NOTHING`;

/**
 * @param {{query: Function}} client of the present writer
 * @param {string[]} keys of events
 * @returns {Promise<Set<string>>} those that were withdrawn
 */
export async function withdrawnOf(client, keys) {
  if (keys.length === 0) {
    return new Set();
  }
  const { rows } = await client.query(WITHDRAWN, [keys]);
  return new Set(rows.map(({ event_key: key }) => key));
}

/**
 * Asks for withdrawals, each once, however often it is called: the outbox publishes them.
 *
 * @param {{query: Function}} client of the present writer
 * @param {string} region that publishes
 * @param {{event: string, record: string | null}[]} taken keys of events, and the record's id where it is known
 */
export async function withdraw(client, region, taken) {
  if (taken.length > 0) {
    await client.query(WITHDRAW, [region, taken.map(({ event }) => event), taken.map(({ record }) => record)]);
  }
}
