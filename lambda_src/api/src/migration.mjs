/**
 * `index.migrate`: makes the application's database user and brings the schema up to date.
 *
 * Everything is one transaction under an advisory lock: two migrations at once run one after the
 * other, an interrupted one leaves nothing, a repeated one changes nothing but the password's
 * salt. It changes nothing on a writer that isn't of the newest epoch that is known (H26). At its end
 * the application's user logs in: what fails here, fails before a service does. Only this function
 * may read the master's secret.
 */
import { auditAccess } from "./audit.mjs";
import { tlsOptions } from "./database_tls.mjs";
import { createDriverClient } from "./driver.mjs";
import { scheduleHeartbeat } from "./heartbeat_job.mjs";
import { scramVerifier } from "./scram.mjs";
import { GRANTS, STEPS } from "./schema.mjs";

/** Any constant: the key under which migrations of this database exclude each other. */
const ADVISORY_LOCK = 7_250_315;

async function applySteps(client) {
  await client.query(`CREATE TABLE IF NOT EXISTS public.schema_versions (
    version integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
  )`);
  const { rows } = await client.query("SELECT version FROM public.schema_versions");
  const present = new Set(rows.map((row) => row.version));
  const due = STEPS.filter((step) => !present.has(step.version));
  for (const { version, statements } of due) {
    for (const statement of statements) {
      await client.query(statement);
    }
    await client.query("INSERT INTO public.schema_versions (version) VALUES ($1)", [version]);
  }
  return due.map((step) => step.version);
}

/**
 * @param {object} client inside the transaction
 * @param {ReturnType<typeof import("./epochs.mjs").createEpochs>} epochs
 * @throws {import("./epochs.mjs").DemotedError | import("./epochs.mjs").UncomparedError} this writer isn't
 *   of the newest epoch, or nobody can say so
 */
async function confirmWriter(client, epochs) {
  await epochs.refresh();
  const { rows } = await client.query("SELECT epoch FROM recovery.epoch");
  const epoch = Number(rows[0].epoch);
  epochs.confirm(epoch);
}

/** Ends the second user's name: rotations go from one to the other (tapstack/well_known.py). */
const ALTERNATE_SUFFIX = "_b";

/** The application's other user, who still may log in until the next rotation. */
const alternateOf = (username) =>
  username.endsWith(ALTERNATE_SUFFIX) ? username.slice(0, -ALTERNATE_SUFFIX.length) : username + ALTERNATE_SUFFIX;

async function exists(client, username) {
  const { rowCount } = await client.query("SELECT 1 FROM pg_roles WHERE rolname = $1", [username]);
  return rowCount > 0;
}

async function makeUser(client, { username, password }, database) {
  const user = client.escapeIdentifier(username);
  if (!(await exists(client, username))) {
    await client.query(`CREATE ROLE ${user} LOGIN`);
  }
  await client.query(`ALTER ROLE ${user} PASSWORD ${client.escapeLiteral(scramVerifier(password))}`);
  await client.query("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
  await grant(client, username, database);
  const other = alternateOf(username);
  if (await exists(client, other)) {
    await grant(client, other, database);
  }
}

async function grant(client, username, database) {
  const user = client.escapeIdentifier(username);
  await client.query(`GRANT CONNECT ON DATABASE ${client.escapeIdentifier(database)} TO ${user}`);
  await client.query(`GRANT USAGE ON SCHEMA public, recovery TO ${user}`);
  // What an earlier version granted and this one doesn't goes; other sessions see it all at once.
  for (const kind of ["TABLES", "FUNCTIONS"]) {
    await client.query(`REVOKE ALL ON ALL ${kind} IN SCHEMA public, recovery FROM ${user}`);
  }
  for (const granted of GRANTS) {
    await client.query(`GRANT ${granted} TO ${user}`);
  }
}

/**
 * @param {import("./environment.mjs").Environment} environment
 * @param {object} services
 * @param {(arn: string, stage?: string) => Promise<{username: string, password: string}>} services.readSecret
 * @param {ReturnType<typeof import("./epochs.mjs").createEpochs>} services.epochs
 * @param {{master?: string, application?: string}} [services.stages] staging labels of a rotation
 * @param {import("./log.mjs").Logger} services.logger
 * @param {(options: object) => Promise<any>} [services.createClient] a `pg.Client`
 * @returns {Promise<{applied: number[], version: number, heartbeat: string, audited: string, user: string,
 *   stages: object}>} steps applied now, the last of all, the schedule of the database's own heartbeat
 *   (`absent` without pg_cron), what pgaudit logs, who has logged in, and the versions that were asked for
 */
export async function migrate(environment, { readSecret, epochs, logger, stages = {}, createClient = createDriverClient }) {
  const [master, application] = await Promise.all([
    readSecret(environment.masterSecretArn, stages.master),
    readSecret(environment.applicationSecretArn, stages.application),
  ]);
  const ssl = await tlsOptions(environment.databaseTls);

  async function connect(database, { username, password } = master) {
    const client = await createClient({
      host: environment.databaseWriterEndpoint,
      port: environment.databasePort,
      database,
      user: username,
      password,
      ssl,
      application_name: "warm-standby-migration",
      // A new writer may still be starting, and a deployment has time.
      connectionTimeoutMillis: 30_000,
      lock_timeout: 20_000,
      statement_timeout: 60_000,
    });
    // Without a listener a connection lost between two statements would end the process.
    client.on("error", () => logger.warn("migration lost its connection"));
    try {
      await client.connect();
    } catch (error) {
      await client.end();
      throw error;
    }
    return client;
  }

  const client = await connect(environment.databaseName);
  try {
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock($1)", [ADVISORY_LOCK]);
    const applied = await applySteps(client);
    await makeUser(client, application, environment.databaseName);
    const audited = await auditAccess(client);
    // The table is there by now, also in a new database; what was done is undone on a demoted one.
    await confirmWriter(client, epochs);
    await client.query("COMMIT");
    const heartbeat = await scheduleHeartbeat(connect, client, environment.databaseName);
    // Whoever makes this the current version may rely on it: the user has logged in.
    await (await connect(environment.databaseName, application)).end();
    logger.info("schema migrated", { applied, heartbeat, audited });
    return { applied, version: STEPS.at(-1).version, heartbeat, audited, user: application.username, stages };
  } finally {
    // Ending the connection rolls back whatever was not committed.
    await client.end();
  }
}
