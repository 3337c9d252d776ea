/**
 * Receipts: which region's bus delivered which event. Each region writes its own, once for each
 * event key, however often the bus delivers.
 */
import { parseReceiptKey } from "./record_input.mjs";

/**
 * @param {object} options
 * @param {ReturnType<typeof import("./database.mjs").createDatabase>} options.database
 * @param {string} options.region
 * @param {string} options.source
 */
export function createReceipts({ database, region, source }) {
  return {
    /**
     * An event of this application from the bus.
     *
     * @param {any} event
     * @param {number} deadline
     * @returns {Promise<{received: boolean}>} false: this region had it already
     * @throws {Error} so that Lambda tries again and at last keeps the event in the dead-letter queue
     */
    receive: async (event, deadline) => {
      const eventKey = event.detail?.eventId;
      if (event.source !== source || typeof eventKey !== "string" || eventKey === "") {
        throw new Error(`event refused: it must come from ${source} and carry detail.eventId`);
      }
      const { rowCount } = await database.run("writer", deadline, (client) =>
        client.query(
          "INSERT INTO public.receipts (region, event_key) VALUES ($1, $2) ON CONFLICT DO NOTHING",
          [region, eventKey],
        ),
      );
      return { received: rowCount === 1 };
    },

    /** `GET /receipts?key=…`: from the writer, since both regions write there */
    list: async ({ query, deadline }) => {
      const key = parseReceiptKey(query);
      const { rows } = await database.run("writer", deadline, (client) =>
        client.query("SELECT region, received_at FROM public.receipts WHERE event_key = $1 ORDER BY region", [key]),
      );
      const receipts = rows.map((row) => ({ region: row.region, receivedAt: row.received_at.toISOString() }));
      return { status: 200, body: { key, receipts } };
    },
  };
}
