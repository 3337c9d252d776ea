/**
 * Receipts: which region's bus delivered which event. Each region writes its own, once for each
 * event key, however often the bus delivers.
 */
import { describeError } from "./log.mjs";
import { parseReceiptKey } from "./record_input.mjs";

/** Detail type of the event that takes a lost record back: `detail.withdraws` is the key of its event. */
export const RECORD_WITHDRAWN = "record.withdrawn";

const isKey = (value) => typeof value === "string" && value !== "";

/**
 * @param {any} event
 * @returns {boolean} whether it is a batch of an event source mapping from SQS
 */
export function isQueueBatch(event) {
  return Array.isArray(event?.Records) && event.Records.length > 0 && event.Records.every((record) => record?.eventSource === "aws:sqs");
}

/**
 * @param {object} options
 * @param {ReturnType<typeof import("./database.mjs").createDatabase>} options.database
 * @param {string} options.region
 * @param {string} options.source
 * @param {import("./log.mjs").Logger} options.logger
 */
export function createReceipts({ database, region, source, logger }) {
  /** @throws {Error} for an event that isn't this application's */
  function parse(event) {
    const { eventId, withdraws } = event?.detail ?? {};
    if (event?.source !== source || !isKey(eventId)) {
      throw new Error(`event refused: it must come from ${source} and carry detail.eventId`);
    }
    if (event["detail-type"] !== RECORD_WITHDRAWN) {
      return { eventId };
    }
    if (!isKey(withdraws)) {
      throw new Error(`event refused: ${RECORD_WITHDRAWN} must carry detail.withdraws`);
    }
    return { eventId, withdraws };
  }

  /** @returns {Promise<number>} how many of them this region hadn't yet */
  const store = (events, deadline) =>
    database.transaction(deadline, async (client) => {
      const { rowCount } = await client.query(
        `INSERT INTO public.receipts (region, event_key)
         SELECT DISTINCT $1, key FROM unnest($2::text[]) AS key ON CONFLICT DO NOTHING`,
        [region, events.map(({ eventId }) => eventId)],
      );
      const withdrawn = events.flatMap(({ withdraws }) => withdraws ?? []);
      if (withdrawn.length > 0) {
        // Also where the withdrawn event has yet to come: it finds its receipt withdrawn.
        await client.query(
          `INSERT INTO public.receipts (region, event_key, withdrawn_at)
           SELECT DISTINCT $1, key, now() FROM unnest($2::text[]) AS key
           ON CONFLICT (region, event_key) DO UPDATE SET withdrawn_at = excluded.withdrawn_at
           WHERE receipts.withdrawn_at IS NULL`,
          [region, withdrawn],
        );
      }
      return rowCount;
    });

  /** Whose body isn't an event of ours comes back and ends in the queue's dead-letter queue. */
  function parseMessage({ messageId, body }) {
    try {
      return { messageId, event: parse(JSON.parse(body)) };
    } catch (error) {
      logger.error("message refused", describeError(error));
      return { messageId };
    }
  }

  return {
    /**
     * An event of this application from the bus.
     *
     * @param {any} event
     * @param {number} deadline
     * @returns {Promise<{received: boolean}>} false: this region had it already
     * @throws {Error} so that Lambda tries again and at last keeps the event in the dead-letter queue
     */
    receive: async (event, deadline) => ({ received: (await store([parse(event)], deadline)) === 1 }),

    /**
     * A batch from the queue between rule and function (AWS, "Handling errors for an SQS event
     * source in Lambda", partial batch responses). What can't be stored now stays in the queue.
     *
     * @param {{Records: {messageId: string, body: string}[]}} batch
     * @param {number} deadline
     * @returns {Promise<{batchItemFailures: {itemIdentifier: string}[]}>}
     */
    receiveBatch: async ({ Records }, deadline) => {
      const messages = Records.map(parseMessage);
      const good = messages.filter(({ event }) => event !== undefined);
      const failed = new Set(messages.filter(({ event }) => event === undefined));
      try {
        if (good.length > 0) {
          const received = await store(good.map(({ event }) => event), deadline);
          logger.info("events received", { received, of: good.length });
        }
      } catch (error) {
        logger.warn("events stay in the queue", { messages: good.length, ...describeError(error) });
        good.forEach((message) => failed.add(message));
      }
      return { batchItemFailures: [...failed].map(({ messageId }) => ({ itemIdentifier: messageId })) };
    },

    /** `GET /receipts?key=…`: from the writer, since both regions write there */
    list: async ({ query, deadline }) => {
      const key = parseReceiptKey(query);
      const { rows } = await database.run("writer", deadline, (client) =>
        client.query(
          "SELECT region, received_at, withdrawn_at FROM public.receipts WHERE event_key = $1 ORDER BY region",
          [key],
        ),
      );
      const receipts = rows.map((row) => ({
        region: row.region,
        receivedAt: row.received_at.toISOString(),
        ...(row.withdrawn_at && { withdrawnAt: row.withdrawn_at.toISOString() }),
      }));
      return { status: 200, body: { key, receipts } };
    },
  };
}
