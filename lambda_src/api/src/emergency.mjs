/**
 * `index.emergency`: what clinicians need to continue without this system, as pages that a browser
 * shows (HIPAA §164.308(a)(7)(ii)(C), emergency mode operation). Made every night in each region,
 * from that region's own reader into that region's own bucket; opened with nothing of ours.
 *
 * One snapshot of the database, whatever is written meanwhile: the whole history of each patient with a
 * record in the last `EMERGENCY_DAYS`. The page that leads to all others is
 * put last: a folder without it isn't whole.
 */
import { tlsOptions } from "./database_tls.mjs";
import { createDriverClient } from "./driver.mjs";
import { indexOf, pageName, pagesOf } from "./emergency_pages.mjs";

/** Where exports are put (tapstack/well_known.py). */
const PREFIX = "emergency/";
const METRIC = "EmergencyExport";
const CONTENT_TYPE = "text/html; charset=utf-8";

const CONNECT_MILLISECONDS = 10_000;
/** The first rows come after the reader has sorted them all. */
const QUERY_MILLISECONDS = 600_000;
/** Rows in memory at a time; each has at most 64 KiB of data. */
const ROWS = 200;

/** All records of the patients that are treated now: those with one in so many days. */
const cursor = (days) => `DECLARE export NO SCROLL CURSOR FOR
  SELECT patient_id, id, type, data, attachment, created_at FROM public.records
  WHERE patient_id IN (
    SELECT patient_id FROM public.records WHERE created_at > now() - make_interval(days => ${days}))
  ORDER BY patient_id, sequence`;

async function* everyRow(client, days) {
  await client.query(cursor(days));
  for (;;) {
    const { rows } = await client.query(`FETCH ${ROWS} FROM export`);
    if (rows.length === 0) {
      return;
    }
    yield* rows;
  }
}

/**
 * Until when this server surely has what was stored: the writer's own heartbeat reaches it in the same
 * order as records. Where none has ever beaten, the newest record's time.
 */
async function findAsOf(client) {
  const { rows } = await client.query(
    `SELECT coalesce((SELECT max(beat_at) FROM public.heartbeats),
       (SELECT created_at FROM public.records ORDER BY sequence DESC LIMIT 1), now()) AS as_of`,
  );
  return rows[0].as_of;
}

/** A folder's name, which sorts as its time does: `2026-01-02T03-04-05Z`. */
const folderOf = (region, at) => `${PREFIX}${region}/${at.toISOString().slice(0, 19).replaceAll(":", "-")}Z/`;

/**
 * @param {object} options
 * @param {import("./environment.mjs").Environment} options.environment
 * @param {(arn: string) => Promise<{username: string, password: string}>} options.readSecret
 * @param {(object: {bucket: string, key: string, body: Buffer, contentType: string}) => Promise<void>} options.putObject
 * @param {(name: string, unit: string, value: number) => void} options.putMetric
 * @param {import("./log.mjs").Logger} options.logger
 * @param {() => number} options.now milliseconds
 * @param {(options: object) => Promise<any>} [options.createClient] a `pg.Client`
 * @returns {() => Promise<{bucket: string, folder: string, asOf: string, pages: number, patients: number,
 *   records: number}>}
 */
export function createExport({ environment, readSecret, putObject, putMetric, logger, now, createClient = createDriverClient }) {
  const { region, bucketName: bucket, emergencyDays: days } = environment;

  async function open() {
    // Read each time: between two nights the password may have been rotated.
    const { username, password } = await readSecret(environment.databaseSecretArn);
    const client = await createClient({
      host: environment.databaseReaderEndpoint,
      port: environment.databasePort,
      database: environment.databaseName,
      user: username,
      password,
      ssl: await tlsOptions(environment.databaseTls),
      application_name: "warm-standby-emergency",
      connectionTimeoutMillis: CONNECT_MILLISECONDS,
      query_timeout: QUERY_MILLISECONDS,
    });
    // Without a listener a connection lost between two statements would end the process.
    client.on("error", () => logger.warn("emergency export lost its connection"));
    return client;
  }

  async function put(folder, name, html) {
    await putObject({ bucket, key: folder + name, body: Buffer.from(html), contentType: CONTENT_TYPE });
  }

  return async () => {
    const madeAt = new Date(now());
    const folder = folderOf(region, madeAt);
    const pages = [];
    const client = await open();
    try {
      await client.connect();
      await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
      const asOf = await findAsOf(client);
      for await (const { html, ...page } of pagesOf(everyRow(client, days))) {
        await put(folder, pageName(page.number), html);
        pages.push(page);
      }
      await put(folder, "index.html", indexOf({ region, asOf, madeAt, days, pages }));
      const sum = (name) => pages.reduce((total, page) => total + page[name], 0);
      const made = { asOf: asOf.toISOString(), pages: pages.length, patients: sum("patients"), records: sum("records") };
      putMetric(METRIC, "Count", 1);
      logger.info("emergency export made", { folder, ...made });
      return { bucket, folder, ...made };
    } finally {
      await client.end();
    }
  };
}
