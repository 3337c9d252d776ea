import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { STATUS_CODES } from "node:http";
import test from "node:test";
import fc from "fast-check";
import { REASONS, parseRequest } from "../src/alb.mjs";
import { UnavailableError } from "../src/errors.mjs";
import { createHttpHandler } from "../src/http.mjs";
import { createLogger, describeError } from "../src/log.mjs";
import { readEnvironment } from "../src/environment.mjs";
import { route } from "../src/router.mjs";
import { CONTEXT, albEvent, call, fakeApplication, fakeDatabase, sqlError } from "./support.mjs";

test("R2.3: GET /health answers 200 with status, region and time, and touches nothing", async () => {
  const { application, database, lines } = fakeApplication();
  const response = await application.handle(albEvent("GET", "/health"), CONTEXT);
  assert.equal(response.statusCode, 200);
  assert.equal(response.statusDescription, "200 OK");
  assert.equal(response.isBase64Encoded, false);
  assert.equal(response.headers["content-type"], "application/json");
  const body = JSON.parse(response.body);
  assert.deepEqual(Object.keys(body), ["status", "region", "timestamp"]);
  assert.equal(body.status, "healthy");
  assert.equal(body.region, "us-east-1");
  assert.equal(new Date(body.timestamp).toISOString(), body.timestamp);
  assert.equal(database.pools.length, 0);
  assert.equal(lines[0].level, "debug");
});

test("R2.3: HEAD /health has the headers of GET and no body", async () => {
  const { application } = fakeApplication();
  const response = await application.handle(albEvent("HEAD", "/health"), CONTEXT);
  assert.equal(response.statusCode, 200);
  assert.equal(response.body, "");
});

test("trap 18: a multi-value event is answered with multiValueHeaders, a single-value one without", async () => {
  const { application } = fakeApplication();
  const event = albEvent("GET", "/health");
  const single = await application.handle(event, CONTEXT);
  assert.equal(single.multiValueHeaders, undefined);
  const multi = await application.handle({ ...event, headers: undefined, multiValueHeaders: { host: ["x"] } }, CONTEXT);
  assert.equal(multi.headers, undefined);
  assert.deepEqual(multi.multiValueHeaders["content-type"], ["application/json"]);
});

test("an unknown path is 404 and a known one with another method 405 with Allow, both JSON", async () => {
  const { application } = fakeApplication();
  const missing = await call(application, "GET", "/nothing/here");
  assert.equal(missing.status, 404);
  assert.deepEqual(missing.body.error, {
    code: "not_found",
    message: "There is nothing at this path.",
    requestId: "request-1",
  });
  const wrong = await call(application, "DELETE", "/records");
  assert.equal(wrong.status, 405);
  assert.equal(wrong.headers.allow, "GET, POST");
  assert.equal((await call(application, "constructor", "/health")).status, 405);
});

test("R2.4: a log line has the route's pattern and never the path or the body a client sent", async () => {
  const { application, lines } = fakeApplication();
  await call(application, "GET", "/records/patient-jane-doe", { headers: { cookie: "jane" } });
  await call(application, "POST", "/patients/jane-doe", { body: '{"name":"jane"}' });
  const text = JSON.stringify(lines);
  assert.doesNotMatch(text, /jane/);
  assert.deepEqual(
    lines.map(({ message, requestId, path, status, region }) => ({ message, requestId, path, status, region })),
    [
      { message: "request", requestId: "request-1", path: "/records/{id}", status: 404, region: "us-east-1" },
      { message: "request", requestId: "request-1", path: "unmatched", status: 404, region: "us-east-1" },
    ],
  );
  assert.equal(typeof lines[0].durationMs, "number");
});

test("an unexpected fault is 500 without its message, which stays out of the log as well", async () => {
  const database = fakeDatabase(() => {
    throw sqlError("22P02", "invalid input: jane doe");
  });
  const { application, lines } = fakeApplication({ database });
  const response = await call(application, "GET", "/records");
  assert.equal(response.status, 500);
  assert.equal(response.body.error.code, "internal");
  assert.doesNotMatch(JSON.stringify([response, lines]), /jane|node_modules/);
  assert.equal(lines[0].code, "22P02");
  assert.deepEqual(database.released, [false]);
});

test("query parameters are decoded, since the load balancer doesn't, and the last value counts", () => {
  const event = albEvent("GET", "/", {
    query: undefined,
    multiValueQueryStringParameters: { "a%20b": ["1", "x+y%2Fz"] },
    multiValueHeaders: { "X-Two": ["1", "2"] },
    headers: undefined,
    body: Buffer.from("ü").toString("base64"),
    isBase64Encoded: true,
  });
  const request = parseRequest(event);
  assert.deepEqual([...request.query], [["a b", "x y/z"]]);
  assert.equal(request.headers["x-two"], "2");
  assert.equal(request.body.toString(), "ü");
  assert.equal(parseRequest({ ...event, body: null, isBase64Encoded: false }).body.length, 0);
});

test("a query parameter that is not percent-encoded text is 400", async () => {
  const { application } = fakeApplication();
  const response = await call(application, "GET", "/records", { query: { after: "%zz" } });
  assert.equal(response.status, 400);
  assert.equal(response.body.error.code, "bad_query");
});

test("an event that neither a load balancer nor this application sent fails by name", async () => {
  const { application, lines } = fakeApplication();
  await assert.rejects(application.handle(undefined, undefined), /event refused/);
  await assert.rejects(application.handle({ source: "else", detail: {} }, CONTEXT), /must come from warm-standby.app/);
  assert.equal(lines[0].level, "error");
});

test("a handler's fault without stack or cause is still one log line", async () => {
  const lines = [];
  const logger = createLogger({ level: "nonsense", fields: {}, write: (line) => lines.push(JSON.parse(line)) });
  const fail = () => {
    throw "text";
  };
  const answer = createHttpHandler({ routes: [route("/x", { GET: fail })], logger });
  assert.equal((await answer(albEvent("GET", "/x"))).statusCode, 500);
  assert.equal(lines[0].error, "string");
  logger.debug("not written: an unknown level counts as info");
  assert.equal(lines.length, 1);
});

test("what is logged of an error is its name, code, driver's reason, place and cause", () => {
  const bare = new Error("private");
  bare.stack = undefined;
  assert.deepEqual(describeError(bare), { error: "Error", code: undefined });
  const logged = describeError(new UnavailableError("x", "m", new Error("Connection terminated unexpectedly")));
  assert.equal(logged.cause.reason, "Connection terminated unexpectedly");
  assert.match(logged.at, /http\.test/);
});

test("absent variables have defaults, so that /health works in any environment", () => {
  const environment = readEnvironment({});
  assert.equal(environment.region, "unknown");
  assert.equal(environment.regionRole, "primary");
  assert.equal(environment.databasePort, 5432);
  assert.equal(environment.eventSource, "warm-standby.app");
  assert.equal(environment.failoverSwitchParameter, undefined);
  assert.equal(environment.databasePeerClusterEndpoint, undefined);
});

test("the other region's cluster is the name of a certificate that isn't this region's", () => {
  const environment = readEnvironment({ DATABASE_CLUSTER_ENDPOINT: "east", DATABASE_SERVER_NAMES: "east,west" });
  assert.equal(environment.databasePeerClusterEndpoint, "west");
});

const text = fc.string({ unit: "binary", maxLength: 40 });
const anyPath = fc.oneof(
  fc.constantFrom("/health", "/failover-switch", "/ready", "/records", "/receipts", "/records/x", "/records/%zz", ""),
  text,
);
const anyMethod = fc.oneof(fc.constantFrom("GET", "HEAD", "POST", "PUT", "get", "__proto__"), text);
const values = fc.dictionary(fc.oneof(fc.constantFrom("after", "limit", "key", "Idempotency-Key", "Content-Type"), text), fc.oneof(fc.constantFrom("application/json", "1"), text), { maxKeys: 4 });
const lists = fc.dictionary(fc.oneof(fc.constantFrom("after", "Content-Type", "idempotency-key"), text), fc.array(fc.oneof(fc.constantFrom("application/json", "k"), text), { maxLength: 3 }), { maxKeys: 4 });
const anyBody = fc.oneof(text, fc.json(), fc.constant(null), fc.base64String(), fc.record({ patientId: fc.constant("p"), type: fc.constant("note"), data: fc.object() }).map((value) => JSON.stringify(value)));
const anyEvent = fc.record(
  {
    requestContext: fc.constant({ elb: { targetGroupArn: "arn" } }),
    httpMethod: anyMethod,
    path: anyPath,
    queryStringParameters: fc.oneof(values, fc.constant(null)),
    multiValueQueryStringParameters: lists,
    headers: values,
    multiValueHeaders: lists,
    body: anyBody,
    isBase64Encoded: fc.boolean(),
  },
  { requiredKeys: ["requestContext"] },
);

test("10,000 fuzzed load balancer events: always a valid response, never a 500", async () => {
  const createdAt = new Date(0);
  const answers = [
    [/INSERT INTO public.records/, { id: "a", created_at: createdAt }],
    [/recovery.epochs/, { epoch: "1", known: true, resume: "0" }],
    [/AS standby, epoch/, { standby: false, epoch: "1", records: "records" }],
    [/AS age/, { age: 0 }],
  ];
  const database = fakeDatabase((statement) => answers.flatMap(([pattern, row]) => (pattern.test(statement) ? [row] : [])));
  const { application } = fakeApplication({ database, variables: { LOG_LEVEL: "error" } });
  const seen = new Set();
  await fc.assert(
    fc.asyncProperty(anyEvent, async (event) => {
      const response = await application.handle(event, CONTEXT);
      seen.add(response.statusCode);
      assert.ok(STATUS_CODES[response.statusCode] && response.statusCode !== 500);
      assert.equal(response.statusDescription, `${response.statusCode} ${STATUS_CODES[response.statusCode]}`);
      assert.equal(response.isBase64Encoded, false);
      assert.equal(typeof response.body, "string");
      const multi = Boolean(event.multiValueHeaders) && !event.headers;
      const headers = multi ? response.multiValueHeaders : response.headers;
      assert.equal(multi ? response.headers : response.multiValueHeaders, undefined);
      for (const [name, value] of Object.entries(headers)) {
        assert.match(name, /^[a-z-]+$/);
        assert.equal(Array.isArray(value) ? typeof value[0] : typeof value, "string");
      }
      assert.ok(response.body === "" || typeof JSON.parse(response.body) === "object");
    }),
    { numRuns: 10_000 },
  );
  assert.ok(seen.has(200) && seen.has(404) && seen.has(405) && seen.has(400));
});

test("every status has the reason that HTTP gives it, and every status in the sources has one", () => {
  for (const [status, reason] of Object.entries(REASONS)) {
    assert.equal(reason, STATUS_CODES[status]);
  }
  const sources = new URL("../src/", import.meta.url);
  const text = readdirSync(sources).filter((name) => name.endsWith(".mjs")).map((name) => readFileSync(new URL(name, sources), "utf8")).join("\n");
  const used = [...text.matchAll(/(?:HttpError\(\s*|status: |\? |: )([2345]\d\d)\b/g)].map(([, status]) => status);
  assert.ok(used.length >= 10);
  assert.deepEqual(used.filter((status) => !(status in REASONS)), []);
});

test("trap 53: the log says who got which records, by ids of ours, and nothing of the patient", async () => {
  const lines = [];
  const logger = createLogger({ level: "info", fields: {}, write: (line) => lines.push(JSON.parse(line)) });
  const records = ["5f0c2b1e-0000-4000-8000-000000000001"];
  const GET = async () => ({ status: 200, body: { patientId: "patient-7" }, records });
  const handle = createHttpHandler({ routes: [route("/records/{id}", { GET })], logger });
  const headers = { "x-amzn-oidc-identity": "clinician-3", "x-forwarded-for": "9.9.9.9, 10.0.0.7" };
  await handle(albEvent("GET", `/records/${records[0]}`, { headers }), CONTEXT, Date.now() + 1000);
  await handle(albEvent("GET", `/records/${records[0]}`), CONTEXT, Date.now() + 1000);
  const [named, nameless] = lines;
  assert.deepEqual([named.records, named.actor, named.client], [records, "clinician-3", "10.0.0.7"]);
  assert.deepEqual([nameless.actor, nameless.client], ["unauthenticated", "unknown"]);
  assert.doesNotMatch(JSON.stringify(lines), /patient-7/);
});
