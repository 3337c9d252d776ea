import assert from "node:assert/strict";
import { createServer } from "node:net";
import test, { after, before } from "node:test";
import { aws } from "../src/aws/index.mjs";
import { call, fakeApplication, fakeDatabase } from "./support.mjs";

/** An endpoint that accepts every connection and never answers; what each was asked first. */
const asked = [];
const sockets = [];
const hung = createServer((socket) => {
  sockets.push(socket);
  socket.on("error", () => {});
  socket.once("data", (data) => asked.push(data));
});

before(async () => {
  await new Promise((resolve) => hung.listen(0, "127.0.0.1", resolve));
  Object.assign(process.env, {
    AWS_REGION: "us-east-1",
    AWS_ENDPOINT_URL: `http://127.0.0.1:${hung.address().port}`,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  });
  // The clients' code is read beforehand: reading it takes its share of every time below.
  await Promise.all(["events", "objects", "parameters", "secrets"].map((name) => import(`../src/aws/${name}.mjs`)));
});
after(() => {
  sockets.forEach((socket) => socket.destroy());
  hung.close();
});

/** How long the application may take for an answer, in milliseconds. */
const DEADLINE = 10_000;
const INPUT = { patientId: "patient-1", type: "note", data: {} };
const ATTACHMENT = { contentType: "text/plain", content: "QQ==" };
const HEADERS = { "content-type": "application/json", "idempotency-key": "key-1" };

/** A database that takes every record. */
const storing = () =>
  fakeDatabase((text, values) => {
    if (text.includes("INSERT INTO public.records")) {
      return [{ id: values[0], sequence: "1", event_id: values[3], region: "us-east-1", created_at: new Date(0) }];
    }
    return text.includes("FROM public.outbox") ? [{ event_id: "e", detail: {}, created_at: new Date(0) }] : [];
  });

async function timed(application, method, path, options) {
  const started = performance.now();
  const { status, body } = await call(application, method, path, options);
  return { status, code: body.error?.code, body, elapsed: performance.now() - started };
}

const post = (application, input = INPUT) =>
  timed(application, "POST", "/records", { headers: HEADERS, body: JSON.stringify(input) });

/** Whether the endpoint was asked for this twice at most; less where a busy machine was slow to connect. */
const isBounded = (mark) => asked.filter((data) => String(data).includes(mark)).length <= 2;

test("trap 62, H27: whichever dependency hangs, it is asked at most twice and the client has its answer within the deadline", async () => {
  const database = async () => {
    const { port } = hung.address();
    const endpoint = { DATABASE_WRITER_ENDPOINT: "127.0.0.1", DATABASE_PORT: String(port) };
    const { application } = fakeApplication({ variables: endpoint, createPool: undefined, now: () => 0 });
    const first = await post(application);
    assert.deepEqual([first.status, first.code], [503, "writer_unavailable"]);
    // PostgreSQL's first message over TLS: its length and the request's code.
    assert.ok(asked.filter((data) => data.length === 8 && data.readInt32BE(4) === 80877103).length <= 2);
    // The quickest: a busy machine may stop any of them.
    const others = [await post(application), await post(application), await post(application)];
    assert.ok(others.every(({ code }) => code === "writer_unavailable"));
    assert.ok(Math.min(...others.map(({ elapsed }) => elapsed)) < 50);
    return first;
  };
  const bucket = async () => {
    const stored = storing();
    const { application } = fakeApplication({ database: stored, aws: { putObject: aws.putObject } });
    const answer = await post(application, { ...INPUT, attachment: ATTACHMENT });
    assert.deepEqual([answer.status, answer.code, isBounded("PUT /bucket-test/")], [503, "storage_unavailable", true]);
    assert.deepEqual(stored.statements, []);
    return answer;
  };
  const secrets = async () => {
    const { application } = fakeApplication({ aws: { readSecret: aws.readSecret } });
    const answer = await post(application);
    assert.deepEqual([answer.status, answer.code, isBounded("GetSecretValue")], [503, "credentials_unavailable", true]);
    return answer;
  };
  // What a request can be answered without is no reason to refuse it.
  const bus = async () => {
    const { application, lines } = fakeApplication({ database: storing(), aws: { putEvents: aws.putEvents } });
    const answer = await post(application);
    assert.deepEqual([answer.status, isBounded("PutEvents")], [201, true]);
    assert.ok(lines.some(({ message }) => message === "event bus does not answer"));
    return answer;
  };
  const parameters = async () => {
    const variables = { EPOCH_PARAMETER: "/epoch", REGION_ROLE: "secondary", FAILOVER_SWITCH_PARAMETER: "/switch" };
    let { readParameter } = aws;
    const given = { readParameter: (...parameter) => readParameter(...parameter) };
    const { application } = fakeApplication({ database: storing(), variables, aws: given });
    const [written, moved] = await Promise.all([post(application), timed(application, "GET", "/failover-switch")]);
    // H26: a cold instance whose writer was never compared takes no write; a warm one continues.
    assert.deepEqual([written.status, written.code], [503, "epoch_unknown"]);
    assert.deepEqual([moved.status, moved.body.failoverSwitch], [404, "released"]);
    assert.ok(isBounded("/switch"));
    assert.ok(written.elapsed < DEADLINE, `${written.elapsed} ms`);
    const clock = { time: 0 };
    readParameter = async () => "1";
    const warm = fakeApplication({ database: storing(), variables, aws: given, now: () => clock.time }).application;
    assert.equal((await post(warm)).status, 201);
    readParameter = aws.readParameter;
    clock.time = 5_000;
    assert.equal((await post(warm)).status, 201);
    return moved;
  };
  for (const { elapsed } of await Promise.all([database(), bucket(), secrets(), bus(), parameters()])) {
    assert.ok(elapsed < DEADLINE, `${elapsed} ms`);
  }
});

test("trap 62: GET /ready names what hangs, within the five seconds that the recovery controller waits", async () => {
  const { application } = fakeApplication({ aws: { describeEventBus: aws.describeEventBus } });
  const { status, body, elapsed } = await timed(application, "GET", "/ready");
  assert.deepEqual([status, body.parts.bus.reason], [503, "TimeoutError"]);
  assert.ok(elapsed < 5_000, `${elapsed} ms`);
});
