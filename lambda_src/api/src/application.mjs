/**
 * The application put together: what one Lambda environment holds from its cold start on.
 *
 * The database driver and each AWS client are loaded at their first use, so that a cold start for
 * a health check reads a few kilobytes.
 */
import { isAlbEvent } from "./alb.mjs";
import { aws } from "./aws/index.mjs";
import { createCredentials } from "./credentials.mjs";
import { createDatabase } from "./database.mjs";
import { createFailoverSwitch } from "./failover_switch.mjs";
import { health } from "./health.mjs";
import { createHttpHandler } from "./http.mjs";
import { createLogger, describeError } from "./log.mjs";
import { createOutbox } from "./outbox.mjs";
import { createReadiness } from "./readiness.mjs";
import { createReceipts } from "./receipts.mjs";
import { createRecords } from "./records.mjs";
import { route } from "./router.mjs";

/** The event with which the schedule drains the outbox. */
const SCHEDULE = { source: "warm-standby.schedule", detailType: "outbox.drain" };

/** Longest that a client waits for an answer, whatever the function's own timeout, in ms. */
const LONGEST_REQUEST = 10_000;
/** What a function keeps back of its time to still answer, in ms. */
const RESERVE = 1_000;

const deadlineOf = (context) =>
  Date.now() + Math.min(LONGEST_REQUEST, (context?.getRemainingTimeInMillis?.() ?? LONGEST_REQUEST) - RESERVE);

/**
 * @param {import("./environment.mjs").Environment} environment
 * @param {object} [overrides] what tests replace: `aws` services, `createPool`, `createClient`, `write`, `now`
 */
export function createApplication(environment, overrides = {}) {
  const services = { ...aws, ...overrides.aws };
  const { write = (line) => process.stdout.write(line), now = Date.now } = overrides;
  const { region, eventBusName: busName, eventSource: source, bucketName } = environment;
  const logger = createLogger({ level: environment.logLevel, fields: { region }, write });
  const database = createDatabase({
    endpoints: {
      writer: environment.databaseWriterEndpoint,
      reader: environment.databaseReaderEndpoint,
      cluster: environment.databaseClusterEndpoint,
    },
    port: environment.databasePort,
    name: environment.databaseName,
    tls: environment.databaseTls,
    credentials: createCredentials({ arn: environment.databaseSecretArn, readSecret: services.readSecret }),
    logger,
    createPool: overrides.createPool,
  });
  const outbox = createOutbox({ database, region, busName, source, putEvents: services.putEvents, logger });
  const receipts = createReceipts({ database, region, source });
  const { putObject, describeEventBus, readParameter } = services;
  const records = createRecords({ database, region, bucketName, putObject, afterWrite: outbox.afterWrite });
  const failoverSwitch = createFailoverSwitch({
    region,
    parameter: environment.regionRole === "secondary" ? environment.failoverSwitchParameter : undefined,
    readParameter,
    logger,
    now,
  });
  const answerHealth = () => health(region);

  const answerHttp = createHttpHandler({
    routes: [
      route("/health", { GET: answerHealth, HEAD: answerHealth }),
      route("/failover-switch", { GET: failoverSwitch }),
      route("/ready", { GET: createReadiness({ database, region, busName, describeEventBus }) }),
      route("/records", { GET: records.list, POST: records.create }),
      route("/records/{id}", { GET: records.read }),
      route("/receipts", { GET: receipts.list }),
    ],
    logger,
  });

  async function onSchedule(deadline) {
    await outbox.beat(deadline);
    const drained = await outbox.drain(deadline);
    await outbox.purge(deadline);
    return drained;
  }

  async function onEvent(event, context) {
    const deadline = deadlineOf(context);
    const requestId = context?.awsRequestId;
    const isSchedule = event?.source === SCHEDULE.source && event["detail-type"] === SCHEDULE.detailType;
    const what = isSchedule ? "outbox drained" : "event received";
    try {
      const result = await (isSchedule ? onSchedule(deadline) : receipts.receive(event ?? {}, deadline));
      logger.info(what, { requestId, ...result });
      return result;
    } catch (error) {
      logger.error(`not ${what}`, { requestId, ...describeError(error) });
      throw error;
    }
  }

  return {
    /**
     * A load balancer's request is always answered; an event that fails throws, so that Lambda
     * tries again.
     *
     * @param {any} event @param {any} context
     */
    handle: (event, context) =>
      isAlbEvent(event) ? answerHttp(event, context, deadlineOf(context)) : onEvent(event, context),

    /** Makes the database's user and schema. */
    migrate: async () => {
      const { migrate } = await import("./migration.mjs");
      return migrate(environment, { readSecret: services.readSecret, logger, createClient: overrides.createClient });
    },

    close: database.close,
  };
}
