/**
 * PostgreSQL through one kept connection to the global writer endpoint and one to this region's
 * readers, each opened at first use.
 *
 * A connection that died, or that answers 25006 because its server is no longer the writer, is
 * dropped and the work is done once more on a new one, which asks DNS again. Work must therefore
 * be safe to repeat: its commit may have succeeded before the connection was lost.
 */
import { createBreaker } from "./breaker.mjs";
import { judge, reasonOf } from "./database_faults.mjs";
import { tlsOptions } from "./database_tls.mjs";
import { DeadlineError, before } from "./deadline.mjs";
import { DemotedError, UncomparedError } from "./epochs.mjs";
import { UnavailableError, demoted, uncompared } from "./errors.mjs";
import { describeError } from "./log.mjs";

const CONNECT_MILLISECONDS = 2_000;
const STATEMENT_MILLISECONDS = 3_000;
/** Below this a second attempt can't end in time. */
const SHORTEST_ATTEMPT_MILLISECONDS = 250;
/** A server that takes longer than this to connect to is dead, whatever time the request had. */
const SHORTEST_CONNECT_MILLISECONDS = 1_000;
/** Time of the one request that tries a server that was dead. */
const TRIAL_MILLISECONDS = 3_000;
/**
 * After so long without a word the server ends a session: a frozen function keeps its socket open
 * and never closes it (docs/connections.md). Longer than a minute, in which the schedule comes.
 */
const IDLE_SESSION_MILLISECONDS = 120_000;

/** Reasons for which every request would wait its time in vain. */
const DEAD = new Set(["unreachable", "name_unresolved"]);

/**
 * @typedef {"writer" | "reader" | "cluster" | "peerReader"} Target
 * @typedef {{query: (text: string, values?: unknown[]) => Promise<{rows: any[], rowCount: number}>}} Client
 */

/** Connections to these don't stay open: few requests ask them. */
const TRANSIENT = new Set(["cluster", "peerReader"]);

async function createDriverPool(options) {
  const { default: pg } = await import("pg");
  return new pg.Pool(options);
}

/**
 * @param {UnavailableError} error
 * @returns {boolean} whether the server showed itself dead: a request whose time was over while it
 *   worked, perhaps on something else, says nothing of the server
 */
function showsDeath(error) {
  const { cause } = error;
  return DEAD.has(reasonOf(error)) && !(cause instanceof DeadlineError && cause.connecting < SHORTEST_CONNECT_MILLISECONDS);
}

/**
 * @param {object} options
 * @param {Record<Target, string>} options.endpoints host names
 * @param {number} options.port
 * @param {string} options.name of the database
 * @param {{certificateAuthorityFile: string | undefined, serverNames: string[]}} options.tls see database_tls.mjs
 * @param {{read: () => Promise<{username: string, password: string}>, forget: () => void}} options.credentials
 * @param {ReturnType<typeof import("./epochs.mjs").createEpochs>} options.epochs
 * @param {import("./log.mjs").Logger} options.logger
 * @param {() => number} [options.now] milliseconds
 * @param {(options: object) => Promise<any>} [options.createPool] a `pg.Pool`, or what stands in for one
 */
export function createDatabase({
  endpoints,
  port,
  name,
  tls,
  credentials,
  epochs,
  logger,
  now = Date.now,
  createPool = createDriverPool,
}) {
  /** @type {Map<Target, Promise<any>>} */
  const pools = new Map();
  const breakers = Object.fromEntries(Object.keys(endpoints).map((target) => [target, createBreaker(now)]));

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
      // A setting that the driver has no name for (PostgreSQL 14 and newer).
      options: `-c idle_session_timeout=${IDLE_SESSION_MILLISECONDS}`,
    });
    // The pool listens to idle connections only; one that is lost while in use would otherwise end
    // the whole process with an unhandled event. Its query reports the loss anyway.
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
    const started = Date.now();
    const connecting = pool.connect();
    try {
      return await before(deadline, connecting);
    } catch (error) {
      // One that comes too late is closed, or it would hold the pool's only place for ever.
      connecting.then(
        (late) => late.release(true),
        () => {},
      );
      if (error instanceof DeadlineError) {
        error.connecting = Date.now() - started;
      }
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

  const unavailable = (target, error) => {
    if (error instanceof DemotedError) {
      return demoted(error);
    }
    return error instanceof UncomparedError
      ? uncompared(error)
      : new UnavailableError(`${target}_unavailable`, `The database's ${target} does not answer.`, error);
  };

  /** Does work on a connection, once more after a lost one unless `once`. */
  async function repeat(target, deadline, work, once) {
    const repeated = new Set(once ? ["connection"] : []);
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
        throw away ? unavailable(target, error) : error;
      }
    }
  }

  /**
   * @param {Target} target
   * @throws {UnavailableError} when it is known to be dead and another request, or none yet, tries it
   */
  function admit(target) {
    const refusal = breakers[target].refusal();
    if (refusal !== undefined) {
      throw refusal;
    }
  }

  /**
   * Does work on a connection, once more after a lost one. A server that was dead a moment ago is
   * refused at once, or tried by this request alone and once.
   *
   * @template T
   * @param {Target} target
   * @param {number} deadline milliseconds since the epoch
   * @param {(client: Client) => Promise<T>} work
   * @param {{always?: boolean}} [options] always: ask also a server that is known to be dead
   * @returns {Promise<T>}
   * @throws {UnavailableError} the database doesn't answer in time or in the role asked for
   */
  async function run(target, deadline, work, { always = false } = {}) {
    const breaker = breakers[target];
    if (always) {
      const result = await repeat(target, deadline, work, false);
      breaker.succeeded();
      return result;
    }
    admit(target);
    const isTrial = breaker.enter();
    try {
      const end = isTrial ? Math.min(deadline, Date.now() + TRIAL_MILLISECONDS) : deadline;
      const result = await repeat(target, end, work, isTrial);
      breaker.succeeded();
      return result;
    } catch (error) {
      if (error instanceof UnavailableError && (showsDeath(error) || (isTrial && DEAD.has(reasonOf(error))))) {
        breaker.failed(error);
      } else if (isTrial) {
        // The server answered something, or the fault is the work's own.
        breaker.succeeded();
      }
      throw error;
    }
  }

  /**
   * Like `run` on the writer, in one transaction, which is begun, committed and answered only on a
   * writer of the newest epoch that is known then, and not before one is known.
   *
   * @template T
   * @param {number} deadline milliseconds since the epoch
   * @param {(client: Client, epoch: number) => Promise<T>} work epoch: the writer's
   * @returns {Promise<T>}
   */
  const transaction = (deadline, work) =>
    run("writer", deadline, async (client) => {
      const refreshed = epochs.refresh();
      try {
        // One message for both: each round trip may cross the continent.
        const [, { rows }] = await client.query("BEGIN; SELECT epoch FROM recovery.epoch");
        const epoch = Number(rows[0].epoch);
        epochs.adopt(epoch);
        if (!epochs.isCompared()) {
          await refreshed;
        }
        // Before the work, which may publish what only this volume holds.
        epochs.confirm(epoch);
        const result = await work(client, epoch);
        await refreshed;
        epochs.check(epoch);
        await client.query("COMMIT");
        // A lost region's parameter may have been read meanwhile: committed isn't acknowledged.
        epochs.check(epoch);
        return result;
      } catch (error) {
        if (!judge(error).drop) {
          await client.query("ROLLBACK");
        }
        throw error;
      }
    });

  return { run, admit, transaction, close };
}
