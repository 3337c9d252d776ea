/**
 * The outbox: events wait in the database, written with the record they report, until the bus
 * has taken them. A crash at any point publishes an event twice rather than never; consumers go by
 * `detail.eventId`.
 */
import { describeError } from "./log.mjs";

/** PutEvents takes 10 entries a call. */
const BATCH = 10;
/** Time that one batch may need, in milliseconds: below it no new one is begun. */
const BATCH_MILLISECONDS = 3_000;
const PURGE_BATCH = 1_000;

/** The outbox's rows with this region's receipts; $1 is the region. */
const WITH_RECEIPTS = `public.outbox LEFT JOIN public.receipts
  ON receipts.region = $1 AND receipts.event_key = outbox.event_id::text`;

/**
 * @param {object} options
 * @param {ReturnType<typeof import("./database.mjs").createDatabase>} options.database
 * @param {string} options.region
 * @param {string} options.busName
 * @param {string} options.source
 * @param {(entries: object[]) => Promise<(string | undefined)[]>} options.putEvents
 * @param {import("./log.mjs").Logger} options.logger
 */
export function createOutbox({ database, region, busName, source, putEvents, logger }) {
  /** @returns {Promise<(string | null)[]>} for each row null, or why the bus didn't take it */
  async function publish(rows) {
    const entries = rows.map((row) => ({
      EventBusName: busName,
      Source: source,
      DetailType: row.detail_type,
      Time: row.created_at,
      // The region that published differs from the row's own after that one was lost.
      Detail: JSON.stringify({ ...row.detail, publishedBy: region }),
    }));
    try {
      return (await putEvents(entries)).map((code) => code ?? null);
    } catch (error) {
      logger.warn("event bus does not answer", describeError(error));
      return rows.map(() => error.name);
    }
  }

  /**
   * Publishes one batch. Rows that another instance has in hand are skipped; refused ones sink
   * behind those never tried, so that they block nothing.
   */
  const drainBatch = (deadline, { ownOnly, minimumAgeSeconds }) =>
    database.transaction(deadline, async (client) => {
      const { rows } = await client.query(
        `SELECT event_id, detail_type, detail, created_at FROM public.outbox
         WHERE published_at IS NULL
           AND ($1::text IS NULL OR region = $1)
           AND created_at <= clock_timestamp() - make_interval(secs => $2)
         ORDER BY attempts, created_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED`,
        [ownOnly ? region : null, minimumAgeSeconds],
      );
      if (rows.length === 0) {
        return { published: 0, failed: 0 };
      }
      const errors = await publish(rows);
      await client.query(
        `UPDATE public.outbox SET attempts = attempts + 1, last_error = outcome.error,
           published_at = CASE WHEN outcome.error IS NULL THEN clock_timestamp() END
         FROM unnest($1::uuid[], $2::text[]) AS outcome (event_id, error)
         WHERE outbox.event_id = outcome.event_id`,
        [rows.map((row) => row.event_id), errors],
      );
      const failed = errors.filter((error) => error !== null);
      if (failed.length > 0) {
        logger.error("events not published", { failed: failed.length, of: rows.length, codes: [...new Set(failed)] });
      }
      return { published: rows.length - failed.length, failed: failed.length };
    });

  return {
    /**
     * After a write: this region's waiting events at once. The record is stored whatever happens
     * here, and what stays is the schedule's.
     *
     * @param {number} deadline
     */
    afterWrite: async (deadline) => {
      if (deadline - Date.now() < BATCH_MILLISECONDS) {
        return;
      }
      try {
        await drainBatch(deadline, { ownOnly: true, minimumAgeSeconds: 0 });
      } catch (error) {
        logger.warn("events left to the schedule", describeError(error));
      }
    },

    /**
     * Once a minute in both regions: whatever waited more than a minute, of either region, so
     * that a survivor publishes what a lost region stored.
     *
     * @param {number} deadline
     * @returns {Promise<{published: number, failed: number}>}
     * @throws {Error} when the bus refused events, so that the function's error alarm sees it
     */
    drain: async (deadline) => {
      const total = { published: 0, failed: 0 };
      let batch;
      do {
        batch = await drainBatch(deadline, { ownOnly: false, minimumAgeSeconds: 60 });
        total.published += batch.published;
        total.failed += batch.failed;
      } while (batch.published === BATCH && deadline - Date.now() > BATCH_MILLISECONDS);
      if (total.failed > 0) {
        throw new Error(`outbox: ${total.failed} events not taken by bus ${busName}; they stay and are tried again`);
      }
      return total;
    },

    /**
     * After a promotion: what was published before it and this region holds no receipt for, since a
     * bus that a region took with it sends nothing again (docs/traps.md 58). Two minutes are left
     * to the events that are on their way, a day is what EventBridge keeps trying, and what was
     * published anew is so again after an hour.
     *
     * @param {number} deadline
     * @returns {Promise<{republished: number}>}
     */
    republish: async (deadline) => {
      let republished = 0;
      let batch;
      do {
        batch = await database.transaction(deadline, async (client) => {
          const { rows } = await client.query(
            `SELECT outbox.event_id, outbox.detail_type, outbox.detail, outbox.created_at
             FROM ${WITH_RECEIPTS}
             WHERE receipts.received_at IS NULL
               AND (SELECT max(grown_at) FROM recovery.epochs) < clock_timestamp() - interval '2 minutes'
               AND outbox.published_at < (SELECT max(grown_at) FROM recovery.epochs)
               AND outbox.published_at > (SELECT max(grown_at) FROM recovery.epochs) - interval '1 day'
               AND NOT EXISTS (
                 SELECT FROM public.republications WHERE republications.event_id = outbox.event_id
                   AND republications.region = $1
                   AND republications.published_at > clock_timestamp() - interval '1 hour')
             ORDER BY outbox.published_at LIMIT ${BATCH} FOR UPDATE OF outbox SKIP LOCKED`,
            [region],
          );
          if (rows.length === 0) {
            return { seen: 0, taken: 0 };
          }
          const errors = await publish(rows);
          const taken = rows.filter((_, index) => errors[index] === null).map((row) => row.event_id);
          await client.query(
            `INSERT INTO public.republications (event_id, region)
             SELECT event_id, $1 FROM unnest($2::uuid[]) AS event_id
             ON CONFLICT (event_id, region) DO UPDATE SET published_at = clock_timestamp()`,
            [region, taken],
          );
          return { seen: rows.length, taken: taken.length };
        });
        republished += batch.taken;
      } while (batch.taken === BATCH && deadline - Date.now() > BATCH_MILLISECONDS);
      if (batch.taken < batch.seen) {
        throw new Error(`outbox: events of before the promotion not taken by bus ${busName}; they are tried again`);
      }
      return { republished };
    },

    /**
     * How long events of the last hour took from the first publication to this region's receipt:
     * those received in the last five minutes, and those without one, counted until now. So the
     * figure falls again soon after the last one that waited is there.
     *
     * @param {number} deadline
     * @returns {Promise<{propagationMs: number, waiting: number}>} the slowest, 0 when there were
     *   none; and how many wait for their receipt
     */
    propagation: async (deadline) => {
      const { rows } = await database.run("writer", deadline, (client) =>
        client.query(
          `SELECT count(*) FILTER (WHERE receipts.received_at IS NULL)::int AS waiting,
             coalesce(max(extract(epoch FROM
               coalesce(receipts.received_at, clock_timestamp()) - outbox.published_at)) * 1000, 0)::float8 AS slowest
           FROM ${WITH_RECEIPTS}
           WHERE outbox.published_at > clock_timestamp() - interval '1 hour'
             AND (receipts.received_at IS NULL OR receipts.received_at > clock_timestamp() - interval '5 minutes')`,
          [region],
        ),
      );
      // A receipt may be written before the publication is marked.
      return { propagationMs: Math.max(0, Math.round(rows[0].slowest)), waiting: rows[0].waiting };
    },

    /** Marks that this region's schedule runs, which the readiness of the standby is read from. */
    beat: (deadline) =>
      database.transaction(deadline, (client) =>
        client.query(
          `INSERT INTO public.heartbeats (source) VALUES ($1)
           ON CONFLICT (source) DO UPDATE SET beat_at = clock_timestamp()`,
          [region],
        ),
      ),

    /** Removes what was published a week ago. */
    purge: (deadline) =>
      database.transaction(deadline, (client) =>
        client.query(
          `DELETE FROM public.outbox WHERE event_id IN (
             SELECT event_id FROM public.outbox WHERE published_at < clock_timestamp() - interval '7 days'
             ORDER BY published_at LIMIT ${PURGE_BATCH} FOR UPDATE SKIP LOCKED)`,
        ),
      ),
  };
}
