/**
 * `index.probe`: what a region sees of the database, asked from inside its VPC once a minute by the
 * recovery controller, which is outside.
 *
 * Every part is asked side by side, on connections of its own, in two tries of 5 s, and has one of
 * three values: `alive`; `dead`, when no server answered in either try; else `unknown`: any other
 * SQLSTATE, TLS, a name or credentials are faults that the other region would have as well. Only a
 * committed row makes the writer alive (H7). A fault is data here, never an exception.
 *
 * `{"action":"verify"}` commits on this region's own cluster and follows the global endpoint, as a
 * promotion must be verified: `wrote`, and `endpoint`, the region that it leads to, or empty.
 *
 * `{"action":"grow_epoch","epoch":2,"promoted_at":"…"}` makes a promotion known to the database,
 * idempotently: `promoted_at` is when the promotion was asked for. This region's own cluster is asked,
 * which was promoted: grown on a demoted volume the epoch would keep no write off it (H26).
 *
 * `{"action":"compare_tail","host":"…","since":"…","before":"…","mode":"list","epoch":2}` compares
 * a page of an old volume with the present writer, which must be of that epoch (lost_tail.mjs);
 * `find_orphans` and `list_attachments` ask that writer alone (orphans.mjs).
 */
import { createCredentials } from "./credentials.mjs";
import { reasonOf, sqlState } from "./database_faults.mjs";
import { tlsOptions } from "./database_tls.mjs";
import { createDriverClient } from "./driver.mjs";
import { UnavailableError } from "./errors.mjs";
import { checkTailEvent, compareTail, readTail } from "./lost_tail.mjs";
import { checkAttachmentsEvent, checkOrphansEvent, findOrphans, listAttachments } from "./orphans.mjs";

const TRIES = 2;
const TRY_MILLISECONDS = 5_000;
/** The controller waits 12 s for all. */
const CREDENTIALS_MILLISECONDS = 1_800;
/** Nobody's minute depends on a comparison. */
const PATIENT_MILLISECONDS = 6_000;

/** Rejects as a server that doesn't answer; the promise itself continues. */
async function within(milliseconds, promise) {
  let timer;
  const over = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("timeout: no answer in this try")), milliseconds);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}

const isoTime = (value) => value?.toISOString() ?? null;

async function commit(client, source) {
  const { rows } = await client.query(
    `INSERT INTO public.heartbeats (source) VALUES ($1)
     ON CONFLICT (source) DO UPDATE SET beat_at = clock_timestamp() RETURNING beat_at, beat_at::text AS exactly`,
    [source],
  );
  return rows[0];
}

async function commitHere(client, region) {
  const { beat_at: beatAt } = await commit(client, `probe:${region}`);
  const { rows: epochs } = await client.query("SELECT epoch FROM recovery.epoch");
  return { committed_at: isoTime(beatAt), epoch: Number(epochs[0].epoch) };
}

/** @returns {Promise<{writes: boolean, exactly: string | null}>} the commit of this source that is seen here */
async function findCommit(client, source) {
  const { rows } = await client.query(
    `SELECT NOT pg_is_in_recovery() AS writes,
       (SELECT beat_at::text FROM public.heartbeats WHERE source = $1) AS exactly`,
    [source],
  );
  return rows[0];
}

async function askRole(client) {
  const { rows } = await client.query("SELECT NOT pg_is_in_recovery() AS writes, epoch FROM recovery.epoch");
  return { writes: rows[0].writes, epoch: Number(rows[0].epoch) };
}

async function askGlobalStatus(client) {
  const { rows } = await client.query(
    `SELECT aws_region, highest_lsn_written::text, durability_lag_in_msec, rpo_lag_in_msec, last_lag_calculation_time
     FROM aurora_global_db_status()`,
  );
  const regions = rows.map((row) => ({
    region: row.aws_region,
    highest_lsn_written: row.highest_lsn_written,
    // -1 is Aurora's mark of the primary.
    durability_lag_ms: Number(row.durability_lag_in_msec),
    rpo_lag_ms: Number(row.rpo_lag_in_msec),
    measured_at: isoTime(row.last_lag_calculation_time),
  }));
  const primary = regions.find(({ durability_lag_ms: lag }) => lag === -1);
  return { primary_lsn: primary?.highest_lsn_written ?? null, global_status: regions };
}

/** Outside Aurora (the lab) replication is PostgreSQL's own. */
async function askReplayedLsn(client) {
  const { rows } = await client.query(
    `SELECT pg_wal_lsn_diff(
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, '0/0')::text AS lsn`,
  );
  return { primary_lsn: rows[0].lsn, global_status: [] };
}

/** A server that answers but not this is no less alive; its heartbeat and records show its lag as well. */
async function askReplication(client, isAurora) {
  try {
    return await (isAurora ? askGlobalStatus(client) : askReplayedLsn(client));
  } catch (error) {
    if (sqlState(error) === undefined) {
      throw error;
    }
    return { primary_lsn: null, global_status: [], replication_sqlstate: sqlState(error) };
  }
}

async function askReader(client) {
  const { rows } = await client.query(
    `SELECT clock_timestamp() AS now, epoch, to_regproc('aurora_global_db_status') IS NOT NULL AS is_aurora,
       (SELECT beat_at FROM public.heartbeats WHERE source = 'database') AS heartbeat_at,
       newest.sequence, newest.created_at
     FROM recovery.epoch LEFT JOIN LATERAL (
       SELECT sequence, created_at FROM public.records ORDER BY sequence DESC LIMIT 1) AS newest ON true`,
  );
  const { now, epoch, is_aurora: isAurora, heartbeat_at: beatAt, sequence, created_at: createdAt } = rows[0];
  return {
    now: isoTime(now),
    epoch: Number(epoch),
    heartbeat_at: isoTime(beatAt),
    newest_record: sequence === null ? null : { sequence, created_at: isoTime(createdAt) },
    ...(await askReplication(client, isAurora)),
  };
}

/**
 * @param {object} options
 * @param {import("./environment.mjs").Environment} options.environment
 * @param {(arn: string) => Promise<{username: string, password: string}>} options.readSecret
 * @param {import("./log.mjs").Logger} options.logger
 * @param {(options: object) => Promise<any>} [options.createClient] a `pg.Client`
 * @returns {(event: {action?: "observe" | "verify" | "grow_epoch" | "compare_tail" | "find_orphans" | "list_attachments", epoch?: number, promoted_at?: string}) => Promise<object>}
 */
export function createProbe({ environment, readSecret, logger, createClient = createDriverClient }) {
  const { region } = environment;
  const credentials = createCredentials({ arn: environment.databaseSecretArn, readSecret });

  async function open(host, milliseconds) {
    let user;
    try {
      user = await within(milliseconds, credentials.read());
    } catch (error) {
      throw new UnavailableError("credentials_unavailable", "The database's credentials can't be read.", error);
    }
    const client = await createClient({
      host,
      port: environment.databasePort,
      database: environment.databaseName,
      user: user.username,
      password: user.password,
      ssl: await tlsOptions(environment.databaseTls),
      application_name: "warm-standby-probe",
      connectionTimeoutMillis: TRY_MILLISECONDS,
      query_timeout: TRY_MILLISECONDS,
    });
    client.on("error", () => {});
    return client;
  }

  async function attempt(host, work, milliseconds = CREDENTIALS_MILLISECONDS) {
    const client = await open(host, milliseconds);
    try {
      return await within(
        TRY_MILLISECONDS,
        (async () => {
          await client.connect();
          return work(client);
        })(),
      );
    } finally {
      // Not awaited: the end of a connection to a dead server may take minutes.
      client.end().catch(() => {});
    }
  }

  /** @returns {Promise<{value: "alive" | "dead" | "unknown", tries: object[]}>} with what `work` found */
  async function ask(host, work) {
    if (!host) {
      return { value: "unknown", tries: [{ reason: "not_configured" }] };
    }
    const tries = [];
    while (tries.length < TRIES) {
      const started = performance.now();
      try {
        const found = await attempt(host, work);
        return { value: "alive", tries, ...found };
      } catch (error) {
        const reason = reasonOf(error);
        if (reason === "credentials_refused") {
          // Rotated since they were read, perhaps: the second try reads them anew.
          credentials.forget();
        }
        const sqlstate = sqlState(error);
        tries.push({ reason, ...(sqlstate && { sqlstate }), elapsed_ms: Math.round(performance.now() - started) });
      }
    }
    return { value: tries.every(({ reason }) => reason === "unreachable") ? "dead" : "unknown", tries };
  }

  async function observe() {
    const started = performance.now();
    const at = new Date().toISOString();
    const [writer, ownCluster, peerCluster, reader] = await Promise.all([
      ask(environment.databaseWriterEndpoint, (client) => commitHere(client, region)),
      ask(environment.databaseClusterEndpoint, askRole),
      ask(environment.databasePeerClusterEndpoint, askRole),
      ask(environment.databaseReaderEndpoint, askReader),
    ]);
    const observation = {
      region,
      at,
      elapsed_ms: Math.round(performance.now() - started),
      writer_sql: writer,
      own_cluster: ownCluster,
      peer_cluster: peerCluster,
      own_reader: reader,
    };
    const values = Object.entries({ writer, ownCluster, peerCluster, reader }).map(([name, { value }]) => [name, value]);
    logger.info("database probed", Object.fromEntries(values));
    return observation;
  }

  async function verify() {
    const source = `verify:${region}`;
    let wrote = false;
    let endpoint = "";
    let detail = "";
    try {
      const { exactly } = await attempt(environment.databaseClusterEndpoint, (client) => commit(client, source));
      wrote = true;
      const found = await attempt(environment.databaseWriterEndpoint, (client) => findCommit(client, source));
      if (!found.writes) {
        detail = "the global endpoint leads to a server that only reads";
      } else {
        // The very row: a demoted volume that still writes doesn't have it.
        endpoint = found.exactly === exactly ? region : environment.peerRegion || "elsewhere";
      }
    } catch (error) {
      detail = `${wrote ? "global endpoint" : "own cluster"}: ${reasonOf(error)}`;
    }
    const verified = { wrote, endpoint, detail };
    logger.info("promotion verified", verified);
    return verified;
  }

  async function growEpoch({ epoch, promoted_at: promotedAt }) {
    if (!Number.isSafeInteger(epoch) || epoch < 1 || (promotedAt !== undefined && Number.isNaN(Date.parse(promotedAt)))) {
      throw new Error("probe: grow_epoch needs epoch, a whole number from 1, and at most promoted_at, a time");
    }
    const grown = await attempt(environment.databaseClusterEndpoint, async (client) => {
      const { rows } = await client.query(
        promotedAt === undefined
          ? "SELECT recovery.grow_epoch($1) AS epoch"
          : "SELECT recovery.grow_epoch($1, $2) AS epoch",
        promotedAt === undefined ? [epoch] : [epoch, promotedAt],
      );
      return { epoch: Number(rows[0].epoch) };
    });
    logger.info("epoch grown", grown);
    return grown;
  }

  async function compareOldVolume(event) {
    checkTailEvent(event);
    const page = await attempt(event.host, (client) => readTail(client, event), PATIENT_MILLISECONDS);
    const compared = await attempt(environment.databaseWriterEndpoint, (client) =>
      compareTail(client, page, { mode: event.mode, region, epoch: event.epoch }),
    );
    logger.info("lost tail compared", { ...compared.counts, next: compared.next });
    return compared;
  }

  async function ofOrphans(event) {
    checkOrphansEvent(event);
    const found = await attempt(environment.databaseWriterEndpoint, (client) => findOrphans(client, event, region));
    logger.info("orphans found", { orphaned: found.orphaned.length, withdrawn: event.withdraw, next: found.next !== null });
    return found;
  }

  async function ofAttachments(event) {
    checkAttachmentsEvent(event);
    return attempt(environment.databaseWriterEndpoint, (client) => listAttachments(client, event));
  }

  const actions = new Map([
    ["observe", observe],
    ["verify", verify],
    ["grow_epoch", growEpoch],
    ["compare_tail", compareOldVolume],
    ["find_orphans", ofOrphans],
    ["list_attachments", ofAttachments],
  ]);
  return async (event) => {
    const act = actions.get(event.action ?? "observe");
    if (act === undefined) {
      throw new Error(`probe: action must be one of ${[...actions.keys()].join(", ")}`);
    }
    return act(event);
  };
}
