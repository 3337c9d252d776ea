/**
 * `GET /ready`: could this region serve now? Asked by people, validators and dashboards, never by
 * DNS: a check of the database in both regions' path would take both out together.
 */
import { UnavailableError } from "./errors.mjs";

const PART_MILLISECONDS = 1_800;
/** The system's recovery point objective: older than this is not ready, in seconds. */
const OLDEST_WRITE_SECONDS = 900;

/**
 * @param {object} options
 * @param {ReturnType<typeof import("./database.mjs").createDatabase>} options.database
 * @param {string} options.region
 * @param {string} options.busName
 * @param {(name: string) => Promise<void>} options.describeEventBus
 */
export function createReadiness({ database, region, busName, describeEventBus }) {
  const inRecovery = async (target) =>
    database.run(target, Date.now() + PART_MILLISECONDS, async (client) => {
      const { rows } = await client.query("SELECT pg_is_in_recovery() AS standby");
      return rows[0].standby;
    });

  const parts = {
    writer: async () => {
      if (await inRecovery("writer")) {
        throw new UnavailableError("writer_read_only", "The writer endpoint leads to a server that only reads.");
      }
      return {};
    },
    // The cluster endpoint of a secondary cluster leads nowhere (AWS, "Using Aurora Global
    // Database"): the cluster is the primary when that endpoint answers and takes writes.
    cluster: async () => {
      const standby = await inRecovery("cluster").catch(() => true);
      return { role: standby ? "secondary" : "primary" };
    },
    replication: () =>
      database.run("reader", Date.now() + PART_MILLISECONDS, async (client) => {
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

  return async () => {
    const results = await Promise.all(
      Object.entries(parts).map(async ([name, check]) => {
        try {
          return [name, { ready: true, ...(await check()) }];
        } catch (error) {
          return [name, { ready: false, reason: error instanceof UnavailableError ? error.code : error.name }];
        }
      }),
    );
    const failing = results.filter(([, part]) => !part.ready).map(([name]) => name);
    const body = {
      status: failing.length === 0 ? "ready" : "not-ready",
      region,
      failing,
      parts: Object.fromEntries(results),
    };
    return { status: failing.length === 0 ? 200 : 503, body };
  };
}
