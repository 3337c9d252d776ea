/**
 * `Durability: two-region`: a write that is answered only when the other region holds it too, seen
 * by reading it there. Without it a record that was answered may be lost with its region, as far
 * as replication lags behind.
 */
import { before } from "./deadline.mjs";
import { HttpError, UnavailableError } from "./errors.mjs";

const POLL_MILLISECONDS = 50;
/** Left to still answer, in milliseconds. */
const RESERVE_MILLISECONDS = 500;
/** A question asked at the last moment may still be answered: a late replica is no dead one. */
const LAST_QUESTION_MILLISECONDS = 300;
/** S3's words for an object that both regions have. */
const REPLICATED = new Set(["COMPLETED", "REPLICA"]);

const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));

/**
 * @param {Record<string, string>} headers
 * @returns {boolean} whether the client waits for both regions
 * @throws {HttpError} 400
 */
export function parseDurability({ durability = "one-region" }) {
  if (durability !== "one-region" && durability !== "two-region") {
    throw new HttpError(400, "invalid_request", "The header Durability may be two-region or one-region.");
  }
  return durability === "two-region";
}

/**
 * @param {object} options
 * @param {ReturnType<typeof import("./database.mjs").createDatabase>} options.database
 * @param {boolean} options.hasPeer whether the other region's readers are known here
 * @param {string} options.bucketName this region's
 * @param {(object: {bucket: string, key: string}) => Promise<string | undefined>} options.replicationStatus
 */
export function createDurability({ database, hasPeer, bucketName, replicationStatus }) {
  /** Asks until it is there or the time is over. */
  async function until(deadline, ask) {
    while (!(await ask())) {
      if (Date.now() + POLL_MILLISECONDS >= deadline) {
        throw new UnavailableError("not_replicated", "The other region doesn't hold it yet.");
      }
      await pause();
    }
  }

  const isReadable = (target, id, deadline) =>
    database.run(target, deadline + LAST_QUESTION_MILLISECONDS, (client) =>
      until(deadline, async () => {
        const { rows } = await client.query("SELECT FROM public.records WHERE id = $1", [id]);
        return rows.length > 0;
      }),
    );

  const statusOf = (key, deadline) => before(deadline, replicationStatus({ bucket: bucketName, key }));

  const isReplicated = ({ key }, deadline) =>
    until(deadline, async () => REPLICATED.has(await statusOf(key, deadline + LAST_QUESTION_MILLISECONDS)));

  return {
    /** @throws {HttpError} 501 where the other region can't be asked */
    check: () => {
      if (!hasPeer) {
        throw new HttpError(501, "durability_unavailable", "This deployment doesn't know the other region's readers.");
      }
    },

    /**
     * @param {string} key
     * @param {number} deadline milliseconds since the epoch
     * @returns {Promise<boolean>} whether the object is there and on its way to the other region
     */
    isUnderWay: async (key, deadline) => {
      try {
        const status = await statusOf(key, deadline);
        return status === "PENDING" || REPLICATED.has(status);
      } catch {
        // Not there, or not to be asked: put again, it is the same.
        return false;
      }
    },

    /**
     * Waits until both regions' readers show the record, and its attachment is in both buckets.
     * One of the two is the writer's own; which one may change at any time.
     *
     * @param {{id: string, attachment: {key: string} | null}} row
     * @param {number} deadline milliseconds since the epoch
     * @returns {Promise<"two-region">}
     * @throws {UnavailableError} 503 with `Durability: one-region`: the record is stored in one
     */
    reach: async ({ id, attachment }, deadline) => {
      const end = deadline - RESERVE_MILLISECONDS;
      try {
        await Promise.all([
          isReadable("reader", id, end),
          isReadable("peerReader", id, end),
          ...(attachment ? [isReplicated(attachment, end)] : []),
        ]);
      } catch (error) {
        throw new UnavailableError(
          "durability_not_reached",
          "The record is stored in one region; repeat the request to wait for the other.",
          error,
          { durability: "one-region" },
        );
      }
      return "two-region";
    },
  };
}
