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
import { reasonOf } from "./database_faults.mjs";
import { createDurability } from "./durability.mjs";
import { createEpochs } from "./epochs.mjs";
import { createFailoverSwitch } from "./failover_switch.mjs";
import { health } from "./health.mjs";
import { createHttpHandler } from "./http.mjs";
import { createLogger, describeError } from "./log.mjs";
import { createMetrics } from "./metrics.mjs";
import { createOutbox } from "./outbox.mjs";
import { createReadiness, createTokenCheck } from "./readiness.mjs";
import { createReceipts, isQueueBatch } from "./receipts.mjs";
import { createRecords } from "./records.mjs";
import { route } from "./router.mjs";

/** The event with which the schedule drains the outbox. */
const SCHEDULE = { source: "warm-standby.schedule", detailType: "outbox.drain" };

/** The writer is away for a while and comes back without a person: the next minute does the work. */
const AWAY = new Set(["unreachable", "name_unresolved", "read_only", "demoted", "epoch_unknown"]);

/** A service that didn't answer in time (its SDK's error) comes back without a person as well. */
const isHung = (error) => error.cause?.name === "TimeoutError";

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
  const { putObject, describeEventBus, readParameter, readSecret, readSecretText, replicationStatus } = services;
  const epochs = createEpochs({ parameters: environment.epochParameters, readParameter, logger, now });
  const database = createDatabase({
    endpoints: {
      writer: environment.databaseWriterEndpoint,
      reader: environment.databaseReaderEndpoint,
      cluster: environment.databaseClusterEndpoint,
      peerReader: environment.databasePeerReaderEndpoint,
    },
    port: environment.databasePort,
    name: environment.databaseName,
    tls: environment.databaseTls,
    credentials: createCredentials({ arn: environment.databaseSecretArn, readSecret }),
    epochs,
    logger,
    now,
    createPool: overrides.createPool,
  });
  const outbox = createOutbox({ database, region, busName, source, putEvents: services.putEvents, logger });
  const putMetric = createMetrics({ suffix: environment.environmentSuffix, write });
  const receipts = createReceipts({ database, region, source, logger });
  const durability = createDurability({
    database,
    hasPeer: environment.databasePeerReaderEndpoint !== undefined,
    bucketName,
    replicationStatus,
  });
  const { afterWrite } = outbox;
  const records = createRecords({ database, epochs, durability, region, bucketName, putObject, afterWrite });
  const mayAsk = createTokenCheck({ arn: environment.readinessTokenSecretArn, readSecretText, now });
  const readiness = createReadiness({ database, epochs, region, busName, describeEventBus, mayAsk, now });
  const failoverSwitch = createFailoverSwitch({
    region,
    parameter: environment.regionRole === "secondary" ? environment.failoverSwitchParameter : undefined,
    readParameter,
    logger,
    now,
  });
  const answerHealth = () => health(region, environment.functionVersion);

  const answerHttp = createHttpHandler({
    routes: [
      route("/health", { GET: answerHealth, HEAD: answerHealth }),
      route("/failover-switch", { GET: failoverSwitch }),
      route("/ready", { GET: readiness }),
      route("/records", { GET: records.list, POST: records.create }),
      route("/records/{id}", { GET: records.read }),
      route("/receipts", { GET: receipts.list }),
    ],
    logger,
  });

  let probe, makeExport;

  async function doSchedule(deadline) {
    await outbox.beat(deadline);
    const propagation = await outbox.propagation(deadline);
    putMetric("EventPropagation", "Milliseconds", propagation.propagationMs);
    const drained = await outbox.drain(deadline);
    const republished = await outbox.republish(deadline);
    await outbox.purge(deadline);
    return { ...drained, ...republished, ...propagation };
  }

  /** A writer that is away is no fault of this function: rows wait, and another minute comes. */
  async function onSchedule(deadline) {
    try {
      return await doSchedule(deadline);
    } catch (error) {
      const reason = reasonOf(error);
      if (!AWAY.has(reason) && !isHung(error)) {
        throw error;
      }
      logger.warn("outbox waits for the writer", { reason, ...describeError(error) });
      return { published: 0, failed: 0, waitsFor: reason };
    }
  }

  async function onEvent(event, context) {
    const deadline = deadlineOf(context);
    const requestId = context?.awsRequestId;
    const isSchedule = event?.source === SCHEDULE.source && event["detail-type"] === SCHEDULE.detailType;
    const what = isSchedule ? "outbox drained" : "event received";
    try {
      const result = await (isSchedule ? onSchedule(deadline) : receipts.receive(event, deadline));
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
     * tries again; of a batch from a queue the failed messages are named.
     *
     * @param {any} event @param {any} context
     */
    handle: (event, context) => {
      if (isAlbEvent(event)) {
        return answerHttp(event, context, deadlineOf(context));
      }
      return isQueueBatch(event) ? receipts.receiveBatch(event, deadlineOf(context)) : onEvent(event, context);
    },

    /**
     * Makes the database's user and schema.
     *
     * @param {{stages?: {master?: string, application?: string}, knows?: string}} [event] versions of the
     *   secrets to work with, by their staging label, the current ones where none is named; or a question:
     *   does this code know `rotations`, which is answered without the database
     */
    migrate: async (event) => {
      if (event?.knows !== undefined) {
        return { knows: event.knows === "rotations" };
      }
      const { migrate } = await import("./migration.mjs");
      return migrate(environment, {
        readSecret,
        epochs,
        logger,
        stages: event?.stages,
        createClient: overrides.createClient,
      });
    },

    /**
     * What this region sees of the database, for the recovery controller; or the growth of the epoch.
     *
     * @param {any} event
     */
    probe: async (event) => {
      const { createProbe } = await import("./probe.mjs");
      probe ??= createProbe({ environment, readSecret, logger, createClient: overrides.createClient });
      return probe(event ?? {});
    },

    /**
     * Whether the standby's load balancer serves a version: before the primary region gets the code.
     *
     * @param {any} event
     */
    gate: async (event) => {
      const { createGate } = await import("./gate.mjs");
      return createGate({ ...environment.gate, ...overrides.gate })(event ?? {});
    },

    /** Makes this region's emergency export: pages of treated patients' records in the region's own bucket. */
    emergency: async () => {
      const { createExport } = await import("./emergency.mjs");
      const { createClient } = overrides;
      makeExport ??= createExport({ environment, readSecret, putObject, putMetric, logger, now, createClient });
      return makeExport();
    },

    close: database.close,
  };
}
