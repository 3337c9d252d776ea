/**
 * The database's own heartbeat, written from inside it by pg_cron: a bad deployment of the
 * application must not look like a dead database.
 *
 * Aurora has pg_cron from PostgreSQL 12.6 on; it must stand in `shared_preload_libraries`, and its
 * jobs live in the database that `cron.database_name` names (AWS, "Scheduling maintenance with the
 * PostgreSQL pg_cron extension"). Where it isn't there nothing is scheduled and nothing fails.
 */
const JOB = "warm-standby-heartbeat";
const PURGE_JOB = "warm-standby-heartbeat-log";

const BEAT = `INSERT INTO public.heartbeats (source) VALUES ('database')
  ON CONFLICT (source) DO UPDATE SET beat_at = clock_timestamp()`;
/** pg_cron keeps a row of each run for ever. */
const PURGE = "DELETE FROM cron.job_run_details WHERE end_time < clock_timestamp() - interval '1 day'";

/** Intervals below a minute came with pg_cron 1.5. */
const SECONDS_SINCE = [1, 5];

const isAtLeast = (version, [major, minor]) => {
  const [ours, oursMinor] = version.split(".").map(Number);
  return ours > major || (ours === major && oursMinor >= minor);
};

/**
 * @param {(database: string) => Promise<any>} connect a connected client of the master, which the
 *   caller ends
 * @param {any} client of the application's database
 * @param {string} database the application's
 * @returns {Promise<string>} the job's schedule, or `absent`
 */
export async function scheduleHeartbeat(connect, client, database) {
  // The setting is there where the library is loaded; asked for by name it may be refused.
  const { rows } = await client.query(
    `SELECT default_version AS version, setting AS home
     FROM pg_available_extensions JOIN pg_settings ON pg_settings.name = 'cron.database_name'
     WHERE pg_available_extensions.name = 'pg_cron'`,
  );
  if (rows.length === 0) {
    return "absent";
  }
  const { version, home } = rows[0];
  const schedule = isAtLeast(version, SECONDS_SINCE) ? "10 seconds" : "* * * * *";
  const cron = await connect(home);
  try {
    await cron.query("CREATE EXTENSION IF NOT EXISTS pg_cron");
    // A job of the same name is changed, not doubled.
    await cron.query("SELECT cron.schedule_in_database($1, $2, $3, $4)", [JOB, schedule, BEAT, database]);
    await cron.query("SELECT cron.schedule($1, $2, $3)", [PURGE_JOB, "17 3 * * *", PURGE]);
  } finally {
    await cron.end();
  }
  return schedule;
}
