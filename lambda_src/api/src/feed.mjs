/**
 * The feed of records: every committed record once, in an order that no later commit changes.
 *
 * Records are ordered by the transaction that wrote them and their sequence number, and given out
 * only when every transaction up to theirs has ended (`pg_snapshot_xmin`): one that is still
 * running, or begins later, sorts behind all that were given out. Ordered by number alone a record
 * that commits late would be skipped (docs/traps.md 61).
 *
 * A cursor is `epoch.sequence` of the last record read. After a promotion numbers of lost records
 * are given out again, also to those that are replayed under their old creation time, so a cursor of
 * an earlier epoch is answered with the point to resume from.
 */
import { HttpError } from "./errors.mjs";

/** The position of the record with number $1; where there is none, before the first beyond it. */
const PAGE = (columns) => `
  WITH place AS (
    (SELECT transaction_id, sequence FROM public.records WHERE sequence = $1)
    UNION ALL
    (SELECT transaction_id, sequence - 1 FROM public.records
     WHERE sequence > $1 AND NOT EXISTS (SELECT FROM public.records WHERE sequence = $1)
     ORDER BY transaction_id, sequence LIMIT 1)
  )
  SELECT ${columns} FROM public.records
  WHERE (transaction_id, sequence) > (SELECT transaction_id, sequence FROM place)
    AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
  ORDER BY transaction_id, sequence LIMIT $2`;

const RESUME = `
  SELECT epoch.epoch, EXISTS (SELECT FROM public.records WHERE sequence = $1) AS known,
    CASE WHEN later.epoch IS NULL OR $1 = 0
           OR EXISTS (SELECT FROM public.records
                      WHERE sequence = $1 AND greatest(created_at, replayed_at) < later.promoted_at)
         THEN $1 ELSE later.last_sequence END AS resume
  FROM recovery.epoch LEFT JOIN LATERAL (
    SELECT * FROM recovery.epochs WHERE epochs.epoch > $2 ORDER BY epochs.epoch LIMIT 1) AS later ON true`;

/** @typedef {{epoch: number, sequence: string} | undefined} Cursor undefined: from the beginning */

/**
 * @param {Cursor} cursor
 * @param {{epoch: number, resume: string}} there of the database that was asked
 * @throws {HttpError} 409 for a cursor of an earlier epoch, with the point to resume from
 */
function checkEpoch(cursor, { epoch, resume }) {
  if (cursor.epoch < epoch) {
    throw new HttpError(
      409,
      "epoch_changed",
      "The writer has changed since: continue from resume; records after it may come again, known by their id.",
      {},
      { resume: `${epoch}.${resume}` },
    );
  }
}

/**
 * One page, by one connection.
 *
 * @param {import("./database.mjs").Client} client
 * @param {string} columns
 * @param {{after: Cursor, limit: number}} page
 * @returns {Promise<{rows: object[], epoch: number, isKnown: boolean}>} isKnown: whether this
 *   database has the cursor's epoch and record, so that it isn't behind the one that gave them
 * @throws {HttpError} 409
 */
export async function readPage(client, columns, { after, limit }) {
  const sequence = after?.sequence ?? "0";
  const { rows: place } = await client.query(RESUME, [sequence, after?.epoch ?? 0]);
  const epoch = Number(place[0].epoch);
  if (after !== undefined) {
    checkEpoch(after, { epoch, resume: place[0].resume });
  }
  const { rows } = await client.query(PAGE(columns), [sequence, limit]);
  const isKnown = after === undefined || (after.epoch === epoch && (sequence === "0" || place[0].known));
  return { rows, epoch, isKnown };
}
