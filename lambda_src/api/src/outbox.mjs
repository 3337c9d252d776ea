/**
 * The outbox: events wait in the database, written with the record they tell of, until the bus
 * has taken them. A crash at any point publishes an event twice rather than never; consumers go by
 * `detail.eventId`.
 */
import { describeError } from "./log.mjs";

/** PutEvents takes 10 entries a call. */
const BATCH = 10;
/** Time that one batch may need, in milliseconds: below it no new one is begun. */
const BATCH_MILLISECONDS = 3_000;
const PURGE_BATCH = 1_000;

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

    /** Marks that this region's schedule runs, which the readiness of the standby is read from. */
    beat: (deadline) =>
      database.run("writer", deadline, (client) =>
        client.query(
          `INSERT INTO public.heartbeats (region) VALUES ($1)
           ON CONFLICT (region) DO UPDATE SET beat_at = clock_timestamp()`,
          [region],
        ),
      ),

    /** Removes what was published a week ago. */
    purge: (deadline) =>
      database.run("writer", deadline, (client) =>
        client.query(
          `DELETE FROM public.outbox WHERE event_id IN (
             SELECT event_id FROM public.outbox WHERE published_at < clock_timestamp() - interval '7 days'
             ORDER BY published_at LIMIT ${PURGE_BATCH} FOR UPDATE SKIP LOCKED)`,
        ),
      ),
  };
}
