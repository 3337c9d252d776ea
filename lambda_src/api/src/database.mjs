/**
 * PostgreSQL through one kept connection to the global writer endpoint and one to this region's
 * readers, each opened at first use.
 *
 * A connection that died, or that answers 25006 because its server is no longer the writer, is
 * dropped and the work is done once more on a new one, which asks DNS again. Work must therefore
 * be safe to repeat: its commit may have succeeded before the connection was lost.
 */
import { judge } from "./database_faults.mjs";
import { tlsOptions } from "./database_tls.mjs";
import { UnavailableError } from "./errors.mjs";
import { describeError } from "./log.mjs";

const CONNECT_MILLISECONDS = 2_000;
const STATEMENT_MILLISECONDS = 3_000;
/** Below this a second attempt can't end in time. */
const SHORTEST_ATTEMPT_MILLISECONDS = 250;

/**
 * @typedef {"writer" | "reader" | "cluster"} Target
 * @typedef {{query: (text: string, values?: unknown[]) => Promise<{rows: any[], rowCount: number}>}} Client
 */

/** Connections to these don't stay open: they are asked by the readiness check alone. */
const TRANSIENT = new Set(["cluster"]);

async function createDriverPool(options) {
  const { default: pg } = await import("pg");
  return new pg.Pool(options);
}

class DeadlineError extends Error {
  constructor() {
    super("timeout: the time for this request is over");
    this.name = "DeadlineError";
  }
}

/** Rejects at the deadline (milliseconds since the epoch); the promise itself goes on. */
async function before(deadline, promise) {
  let timer;
  const over = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError()), deadline - Date.now());
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {object} options
 * @param {Record<Target, string>} options.endpoints host names
 * @param {number} options.port
 * @param {string} options.name of the database
 * @param {{certificateAuthorityFile: string | undefined, serverNames: string[]}} options.tls see database_tls.mjs
 * @param {{read: () => Promise<{username: string, password: string}>, forget: () => void}} options.credentials
 * @param {import("./log.mjs").Logger} options.logger
 * @param {(options: object) => Promise<any>} [options.createPool] a `pg.Pool`, or what stands in for one
 */
export function createDatabase({
  endpoints,
  port,
  name,
  tls,
  credentials,
  logger,
  createPool = createDriverPool,
}) {
  /** @type {Map<Target, Promise<any>>} */
  const pools = new Map();

  async function readCredentials() {
    try {
      return await credentials.read();
    } catch (error) {
      throw new UnavailableError("credentials_unavailable", "The database's credentials can't be read.", error);
    }
  }

  async function openPool(target) {
    const { username, password } = await readCredentials();
    const pool = await createPool({
      host: endpoints[target],
      port,
      database: name,
      user: username,
      password,
      ssl: await tlsOptions(tls),
      application_name: "warm-standby-api",
      max: 1,
      connectionTimeoutMillis: CONNECT_MILLISECONDS,
      // Shorter than any firewall's or NAT's silence; a frozen function drops it when it thaws.
      idleTimeoutMillis: 60_000,
      allowExitOnIdle: true,
      query_timeout: STATEMENT_MILLISECONDS + 500,
      statement_timeout: STATEMENT_MILLISECONDS,
      // A function that froze inside a transaction must not keep its row locks.
      idle_in_transaction_session_timeout: 10_000,
    });
    // The pool listens to idle connections only; one that is lost while in use would otherwise end
    // the whole process with an unhandled event. Its query tells of the loss anyway.
    pool.on("connect", (client) => client.on("error", () => {}));
    pool.on("error", (error) => logger.warn("idle database connection lost", { target, ...describeError(error) }));
    return pool;
  }

  function poolFor(target) {
    if (!pools.has(target)) {
      const opening = openPool(target);
      pools.set(target, opening);
      opening.catch(() => pools.get(target) === opening && pools.delete(target));
    }
    return pools.get(target);
  }

  /** From now on every pool is a new one; the promise waits for the end of the old ones. */
  function close() {
    const old = [...pools.values()];
    pools.clear();
    return Promise.allSettled(old.map(async (pool) => (await pool).end()));
  }

  async function connect(target, deadline) {
    const pool = await before(deadline, poolFor(target));
    const connecting = pool.connect();
    try {
      return await before(deadline, connecting);
    } catch (error) {
      // One that comes too late is closed, or it would hold the pool's only place for ever.
      connecting.then(
        (late) => late.release(true),
        () => {},
      );
      throw error;
    }
  }

  async function attempt(target, deadline, work) {
    const client = await connect(target, deadline);
    const transient = TRANSIENT.has(target);
    let result;
    try {
      result = await before(deadline, work(client));
    } catch (error) {
      // Dropping closes the socket, by which the server rolls back what was open.
      client.release(transient || judge(error).drop);
      throw error;
    }
    client.release(transient);
    return result;
  }

  /**
   * Does work on a connection, once more after a lost one.
   *
   * @template T
   * @param {Target} target
   * @param {number} deadline milliseconds since the epoch
   * @param {(client: Client) => Promise<T>} work
   * @returns {Promise<T>}
   * @throws {UnavailableError} the database doesn't answer in time or in the role asked for
   */
  async function run(target, deadline, work) {
    const repeated = new Set();
    for (;;) {
      try {
        return await attempt(target, deadline, work);
      } catch (error) {
        const { retry, refresh, away } = judge(error);
        if (refresh) {
          credentials.forget();
          // Not awaited: the end of a connection to a dead server may take minutes.
          close();
        }
        // Once for each kind: a rotated password often shows only when a lost connection is replaced.
        const kind = refresh ? "credentials" : "connection";
        if (retry && !repeated.has(kind) && deadline - Date.now() > SHORTEST_ATTEMPT_MILLISECONDS) {
          repeated.add(kind);
          logger.warn("database work repeated", { target, ...describeError(error) });
          continue;
        }
        if (away) {
          throw new UnavailableError(`${target}_unavailable`, `The database's ${target} does not answer.`, error);
        }
        throw error;
      }
    }
  }

  /** Like `run` on the writer, in one transaction. */
  const transaction = (deadline, work) =>
    run("writer", deadline, async (client) => {
      await client.query("BEGIN");
      try {
        const result = await work(client);
        await client.query("COMMIT");
        return result;
      } catch (error) {
        if (!judge(error).drop) {
          await client.query("ROLLBACK");
        }
        throw error;
      }
    });

  return { run, transaction, close };
}
