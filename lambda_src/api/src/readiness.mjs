/**
 * `GET /ready`: could this region serve now? Asked by people, the recovery controller and
 * dashboards, never by DNS: a check of the database in both regions' path would take both out
 * together.
 *
 * It opens database connections, so only those may ask who bring the region's token, and one answer
 * serves everybody for two seconds (docs/traps.md 64).
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { reasonOf } from "./database_faults.mjs";
import { HttpError, UnavailableError } from "./errors.mjs";

const PART_MILLISECONDS = 1_800;
/** The system's recovery point objective: older than this is not ready, in seconds. */
const OLDEST_WRITE_SECONDS = 900;
const ANSWER_MILLISECONDS = 2_000;
/** A wrong token makes the secret read anew, but not more often. */
const REREAD_MILLISECONDS = 30_000;

const digest = (text) => createHash("sha256").update(text).digest();

/**
 * @param {object} options
 * @param {string | undefined} options.arn undefined: no token is configured and everybody may ask,
 *   as deployments of before it do
 * @param {(arn: string) => Promise<string>} options.readSecretText
 * @param {() => number} options.now milliseconds
 * @returns {(given: string | undefined) => Promise<boolean>}
 */
export function createTokenCheck({ arn, readSecretText, now }) {
  let token;
  let readAt = -Infinity;
  const isToken = (given) => token !== undefined && timingSafeEqual(digest(given), digest(token));
  return async (given) => {
    if (arn === undefined) {
      return true;
    }
    if (given === undefined) {
      return false;
    }
    if (!isToken(given) && now() - readAt >= REREAD_MILLISECONDS) {
      readAt = now();
      try {
        token = await readSecretText(arn);
      } catch (error) {
        readAt = -Infinity;
        throw new UnavailableError("credentials_unavailable", "The readiness token can't be read.", error);
      }
    }
    return isToken(given);
  };
}

/**
 * @param {object} options
 * @param {ReturnType<typeof import("./database.mjs").createDatabase>} options.database
 * @param {ReturnType<typeof import("./epochs.mjs").createEpochs>} options.epochs
 * @param {string} options.region
 * @param {string} options.busName
 * @param {(name: string) => Promise<void>} options.describeEventBus
 * @param {ReturnType<typeof createTokenCheck>} options.mayAsk
 * @param {() => number} options.now milliseconds
 */
export function createReadiness({ database, epochs, region, busName, describeEventBus, mayAsk, now }) {
  const ask = (target, work) =>
    database.run(target, Date.now() + PART_MILLISECONDS, work, { always: true });

  const parts = {
    writer: () =>
      ask("writer", async (client) => {
        const { rows } = await client.query(
          "SELECT pg_is_in_recovery() AS standby, epoch, to_regclass('public.records') AS records FROM recovery.epoch",
        );
        const { standby, epoch, records } = rows[0];
        if (standby) {
          throw new UnavailableError("read_only", "The writer endpoint leads to a server that only reads.");
        }
        if (records === null) {
          throw new UnavailableError("schema_missing", "The writer has no table of records.");
        }
        epochs.adopt(Number(epoch));
        epochs.check(Number(epoch));
        return { epoch: Number(epoch) };
      }),
    // The cluster endpoint of a secondary cluster leads nowhere (AWS, "Using Aurora Global
    // Database"): the cluster is the primary when that endpoint answers and takes writes.
    cluster: async () => {
      const standby = await ask("cluster", async (client) => {
        const { rows } = await client.query("SELECT pg_is_in_recovery() AS standby");
        return rows[0].standby;
      }).catch(() => true);
      return { role: standby ? "secondary" : "primary" };
    },
    replication: () =>
      ask("reader", async (client) => {
        const { rows } = await client.query(
          `SELECT extract(epoch FROM clock_timestamp() - greatest(
             (SELECT max(beat_at) FROM public.heartbeats),
             (SELECT created_at FROM public.records ORDER BY sequence DESC LIMIT 1)
           ))::float8 AS age`,
        );
        const age = rows[0].age;
        if (age !== null && age > OLDEST_WRITE_SECONDS) {
          throw new UnavailableError("replication_stale", `The last replicated write is ${Math.round(age)} s old.`);
        }
        return { lastWriteAgeSeconds: age === null ? null : Math.max(0, Math.round(age * 1000) / 1000) };
      }),
    bus: async () => {
      await describeEventBus(busName);
      return {};
    },
  };

  /** A part's own finding, or why its database didn't answer; the bus's error by AWS's name. */
  const reason = (name, error) => {
    if (error instanceof UnavailableError && error.cause === undefined) {
      return error.code;
    }
    return name === "bus" ? error.name : reasonOf(error);
  };

  async function check() {
    const checkedAt = new Date().toISOString();
    const results = await Promise.all(
      Object.entries(parts).map(async ([name, part]) => {
        try {
          return [name, { ready: true, ...(await part()) }];
        } catch (error) {
          return [name, { ready: false, reason: reason(name, error) }];
        }
      }),
    );
    const failing = results.filter(([, part]) => !part.ready).map(([name]) => name);
    const body = {
      status: failing.length === 0 ? "ready" : "not-ready",
      region,
      checkedAt,
      failing,
      parts: Object.fromEntries(results),
    };
    return { status: failing.length === 0 ? 200 : 503, body };
  }

  let last;
  let askedAt = -Infinity;
  return async ({ headers }) => {
    if (!(await mayAsk(headers["x-readiness-token"]))) {
      // As any path that doesn't exist.
      throw new HttpError(404, "not_found", "There is nothing at this path.");
    }
    if (now() - askedAt >= ANSWER_MILLISECONDS) {
      askedAt = now();
      last = check();
    }
    return last;
  };
}
