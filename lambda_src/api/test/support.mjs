/** What the tests share: events as the load balancer sends them, and a database that is scripted. */
import { EventEmitter } from "node:events";
import { createApplication } from "../src/application.mjs";
import { readEnvironment } from "../src/environment.mjs";

export const VARIABLES = {
  AWS_REGION: "us-east-1",
  REGION_ROLE: "primary",
  EVENT_BUS_NAME: "bus-app-us-east-1-test",
  DATABASE_WRITER_ENDPOINT: "writer.test",
  DATABASE_CLUSTER_ENDPOINT: "cluster.test",
  DATABASE_READER_ENDPOINT: "reader.test",
  DATABASE_NAME: "app",
  DATABASE_SECRET_ARN: "arn:application",
  MASTER_SECRET_ARN: "arn:master",
  APPLICATION_SECRET_ARN: "arn:application",
  BUCKET_NAME: "bucket-test",
  LOG_LEVEL: "debug",
};

/** SQLSTATEs with which PostgreSQL ends the connection. */
const FATAL = /^(57P0[1235]|25P03|28|53300|3D000)/;

/** An error as the server answers it: SQLSTATE and severity. */
export function sqlError(code, message = "a value that must not be shown", severity = FATAL.test(code) ? "FATAL" : "ERROR") {
  return Object.assign(new Error(message), { name: "error", code, severity });
}

/** How every transaction begins: one message that also brings the writer's epoch. */
const BEGIN = "BEGIN; SELECT epoch FROM recovery.epoch";

/**
 * A pool that opens FakeClients. `answer(text, values, client)` gives rows, or throws; it sees
 * everything but BEGIN, COMMIT and ROLLBACK.
 */
export class FakePool extends EventEmitter {
  constructor(options, database) {
    super();
    this.options = options;
    this.database = database;
  }

  async connect() {
    await this.database.onConnect(this.options);
    const client = new EventEmitter();
    client.query = async (text, values) => {
      if (text === BEGIN) {
        this.database.statements.push({ host: this.options.host, text: "BEGIN" });
        await this.database.onTransaction("BEGIN");
        return [{ rows: [] }, { rows: [{ epoch: this.database.epoch }] }];
      }
      this.database.statements.push({ host: this.options.host, text, values });
      if (/^(COMMIT|ROLLBACK)$/.test(text)) {
        await this.database.onTransaction(text);
        return { rows: [], rowCount: 0 };
      }
      const rows = (await this.database.answer(text, values, this.options)) ?? [];
      return { rows, rowCount: rows.length };
    };
    client.release = (drop) => {
      this.database.released.push(Boolean(drop));
    };
    this.emit("connect", client);
    return client;
  }

  async end() {
    this.database.ended += 1;
  }
}

/** A database whose answers a test scripts. */
export function fakeDatabase(answer = () => []) {
  const database = {
    answer,
    // As the driver gives a bigint.
    epoch: "1",
    onConnect: async () => {},
    onTransaction: async () => {},
    statements: [],
    released: [],
    pools: [],
    ended: 0,
    createPool: async (options) => {
      const pool = new FakePool(options, database);
      database.pools.push(pool);
      return pool;
    },
  };
  return database;
}

/** The whole application on fakes; what it logs is in `lines`, what it published in `entries`. */
export function fakeApplication({ variables = {}, database = fakeDatabase(), aws = {}, ...overrides } = {}) {
  const lines = [];
  const entries = [];
  const application = createApplication(readEnvironment({ ...VARIABLES, ...variables }), {
    aws: {
      readSecret: async () => ({ username: "api", password: "secret-word" }),
      readParameter: async () => "released",
      putEvents: async (batch) => {
        entries.push(...batch);
        return batch.map(() => undefined);
      },
      describeEventBus: async () => {},
      putObject: async () => {},
      ...aws,
    },
    createPool: database.createPool,
    write: (line) => lines.push(JSON.parse(line)),
    ...overrides,
  });
  return { application, database, lines, entries };
}

export const CONTEXT = { awsRequestId: "request-1", getRemainingTimeInMillis: () => 15_000 };

/** An ALB target-group event with single-value headers. */
export function albEvent(method, path, { query = {}, headers = {}, body = "", ...more } = {}) {
  return {
    requestContext: { elb: { targetGroupArn: "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/b" } },
    httpMethod: method,
    path,
    queryStringParameters: query,
    headers,
    body,
    isBase64Encoded: false,
    ...more,
  };
}

/** Calls the application as the load balancer does; the body comes back parsed. */
export async function call(application, method, path, options) {
  const response = await application.handle(albEvent(method, path, options), CONTEXT);
  return { status: response.statusCode, headers: response.headers, body: response.body && JSON.parse(response.body) };
}
