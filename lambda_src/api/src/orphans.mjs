/**
 * What else of the lost tail shows in the present writer, without the old volume: receipts of events
 * whose record is gone, and the attachments that records name.
 */
import { STORED_AT, checkBefore, checkEpoch, checkQuestion } from "./lost_tail.mjs";
import { withdraw, withdrawalOf } from "./withdrawals.mjs";

const PAGE = 100;
const ATTACHMENTS_PAGE = 500;

/** Either region's: a queue of the lost one delivers, once it is back, what nobody stored. */
const ORPHANED = `SELECT DISTINCT event_key FROM public.receipts
  WHERE event_key > $2 AND received_at >= $1 AND withdrawn_at IS NULL
    AND NOT EXISTS (SELECT FROM public.records WHERE records.event_id::text = receipts.event_key)
    -- Withdrawals are received as well, and name no record of their own.
    AND NOT EXISTS (SELECT FROM public.outbox WHERE outbox.event_id::text = receipts.event_key)
    AND NOT EXISTS (SELECT FROM public.receipts AS taken WHERE taken.withdrawn_at IS NOT NULL
      AND ${withdrawalOf("taken.event_key")}::text = receipts.event_key)
    -- Asked for, and on its way.
    AND NOT EXISTS (SELECT FROM public.outbox WHERE outbox.event_id = ${withdrawalOf("receipts.event_key")})
  ORDER BY event_key LIMIT ${PAGE}`;
const ATTACHMENTS = `SELECT sequence::text, id, attachment->>'key' AS key, ${STORED_AT} >= $1 AS is_young
  FROM public.records WHERE sequence < $2 ORDER BY records.sequence DESC LIMIT ${ATTACHMENTS_PAGE}`;

/**
 * @param {object} event
 * @throws {Error} naming the field
 */
export function checkOrphansEvent({ after, withdraw: isWithdrawn, ...question }) {
  if (typeof after !== "string" || typeof isWithdrawn !== "boolean") {
    throw new Error("probe: find_orphans needs after, an event's key or nothing, and withdraw, true or false");
  }
  checkQuestion(question);
}

/**
 * @param {object} event
 * @throws {Error} naming the field
 */
export function checkAttachmentsEvent({ before, ...question }) {
  checkBefore(before);
  checkQuestion(question);
}

/**
 * One page of events that were received, and whose record is nowhere; withdrawn where asked.
 *
 * @param {{query: Function}} client of the present writer
 * @param {{since: string, after: string, withdraw: boolean, epoch: number}} event
 * @param {string} region that publishes the withdrawals
 * @returns {Promise<{orphaned: string[], next: string | null}>}
 */
export async function findOrphans(client, { since, after, withdraw: isWithdrawn, epoch }, region) {
  await checkEpoch(client, epoch);
  const { rows } = await client.query(ORPHANED, [since, after]);
  const orphaned = rows.map(({ event_key: key }) => key);
  await withdraw(client, region, isWithdrawn ? orphaned.map((event) => ({ event, record: null })) : []);
  return { orphaned, next: rows.length === PAGE ? orphaned.at(-1) : null };
}

/**
 * One page of records with attachments, the newest first.
 *
 * @param {{query: Function}} client of the present writer
 * @param {{since: string, before: string, epoch: number}} event
 * @returns {Promise<{attachments: {id: string, key: string}[], newest: string, next: string | null}>} `newest`
 *   is the largest number on the page, "0" without one
 */
export async function listAttachments(client, { since, before, epoch }) {
  await checkEpoch(client, epoch);
  const { rows } = await client.query(ATTACHMENTS, [since, before]);
  const young = rows.filter(({ is_young: isYoung }) => isYoung);
  return {
    attachments: young.filter(({ key }) => key !== null).map(({ id, key }) => ({ id, key })),
    newest: rows[0]?.sequence ?? "0",
    next: rows.length === ATTACHMENTS_PAGE && young.length > 0 ? rows.at(-1).sequence : null,
  };
}
