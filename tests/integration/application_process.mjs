/**
 * The application beside a PostgreSQL server, without AWS: one JSON object a line on standard input
 * calls a handler, one a line on standard output answers.
 *
 * `{"id", "call": "handle" | "migrate" | "probe", "event"}` → `{"id", "result"}` or `{"id", "error"}`;
 * `{"id", "call": "set", "event": {"parameters": {…}, "objects": {…}, "refuses": true}}` changes what
 * the services answer; `{"id", "call": "published"}` answers what the bus took, and forgets it.
 *
 * Environment: the application's own, and `SERVERS`, a JSON object of endpoint → port on 127.0.0.1.
 * `IDLE_MILLISECONDS` replaces the application's idle session timeout. The servers here speak no TLS; that the application insists on it is tested beside it.
 */
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { createApplication } from "../../lambda_src/api/src/application.mjs";
import { readEnvironment } from "../../lambda_src/api/src/environment.mjs";

const require = createRequire(new URL("../../lambda_src/api/package.json", import.meta.url));
const pg = require("pg");
const servers = JSON.parse(process.env.SERVERS);
const users = JSON.parse(process.env.USERS);
const state = { parameters: {}, objects: {}, refuses: false };
let published = [];

const idle = process.env.IDLE_MILLISECONDS;

const located = ({ options, ...given }) => ({
  ...given,
  ...(options && { options: idle ? options.replace(/\d+$/, idle) : options }),
  host: "127.0.0.1",
  port: servers[given.host],
  ssl: false,
});
const context = { awsRequestId: "r", getRemainingTimeInMillis: () => state.milliseconds ?? 11_000 };

const application = createApplication(readEnvironment(process.env), {
  createPool: async (options) => new pg.Pool(located(options)),
  createClient: async (options) => new pg.Client(located(options)),
  write: (line) => process.stderr.write(line),
  aws: {
    readSecret: async (arn) => users[arn],
    readParameter: async (name) => {
      if (!(name in state.parameters)) {
        throw Object.assign(new Error(name), { name: "ParameterNotFound" });
      }
      return state.parameters[name];
    },
    putEvents: async (entries) => {
      if (!state.refuses) {
        published.push(...entries.map(({ DetailType, Detail }) => ({ type: DetailType, detail: JSON.parse(Detail) })));
      }
      return entries.map(() => (state.refuses ? "ThrottlingException" : undefined));
    },
    describeEventBus: async () => {},
    putObject: async ({ key }) => {
      state.objects[key] ??= "PENDING";
    },
    replicationStatus: async ({ key }) => state.objects[key],
  },
});

const calls = {
  handle: (event) => application.handle(event, context),
  migrate: () => application.migrate(),
  probe: (event) => application.probe(event),
  set: (event) => Object.assign(state, event) && {},
  published: () => {
    const taken = published;
    published = [];
    return taken;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, call, event } = JSON.parse(line);
  Promise.resolve()
    .then(() => calls[call](event))
    .then(
      (result) => ({ id, result }),
      (error) => ({ id, error: `${error.name}: ${error.code ?? ""} ${error.message}` }),
    )
    .then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`));
}
process.exit(0);
