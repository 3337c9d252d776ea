import assert from "node:assert/strict";
import test from "node:test";
import { call, fakeApplication, fakeDatabase, sqlError } from "./support.mjs";

const STANDBY = { AWS_REGION: "us-west-2", REGION_ROLE: "secondary", FAILOVER_SWITCH_PARAMETER: "/switch" };

test("trap 12: the standby's switch is 200 when engaged and 404 when released, read at most every 5 s", async () => {
  let value = "released";
  let reads = 0;
  let time = 0;
  const readParameter = async (name) => {
    assert.equal(name, "/switch");
    reads += 1;
    const read = value;
    // The answer takes a second, which counts as well.
    time += 1_000;
    return read;
  };
  const { application, lines } = fakeApplication({ variables: STANDBY, aws: { readParameter }, now: () => time });
  const ask = async () => (await call(application, "GET", "/failover-switch")).status;
  assert.equal(await ask(), 404);
  assert.equal(time, 1_000);
  value = "engaged";
  time = 4_999;
  assert.equal(await ask(), 404);
  assert.equal(reads, 1);
  time = 5_000;
  assert.equal(await ask(), 200);
  assert.equal(reads, 2);
  assert.equal(lines[0].level, "debug");
});

test("an unreadable switch keeps its last known value, and is 404 when there is none", async () => {
  let fails = true;
  let time = 0;
  const readParameter = async () => {
    if (fails) {
      throw new Error("away");
    }
    return "engaged";
  };
  const { application, lines } = fakeApplication({ variables: STANDBY, aws: { readParameter }, now: () => time });
  const ask = async () => (await call(application, "GET", "/failover-switch")).status;
  assert.equal(await ask(), 404);
  fails = false;
  assert.equal(await ask(), 200);
  fails = true;
  time = 60_000;
  assert.equal(await ask(), 200);
  assert.deepEqual(lines.filter(({ level }) => level === "warn").map(({ lastKnown }) => lastKnown), ["none", "engaged"]);
});

test("the primary has no switch: 404 whatever the environment says, without reading", async () => {
  const readParameter = () => assert.fail("must not be read");
  for (const variables of [{ FAILOVER_SWITCH_PARAMETER: "/switch" }, { REGION_ROLE: "secondary" }]) {
    const { application } = fakeApplication({ variables, aws: { readParameter } });
    const response = await call(application, "GET", "/failover-switch");
    assert.equal(response.status, 404);
    assert.deepEqual(response.body, { failoverSwitch: "released", region: "us-east-1" });
  }
});

/** What the three endpoints answer: whether each is a standby, or an error; the writer's epoch; and the age in seconds. */
function cluster({ writer = false, local = false, age = 1.2345, epoch = "3", records = "records" }) {
  return fakeDatabase((text, _, { host }) => {
    if (host === "reader.test") {
      return [{ age }];
    }
    const standby = host === "writer.test" ? writer : local;
    if (standby instanceof Error) {
      throw standby;
    }
    return [host === "writer.test" ? { standby, epoch, records } : { standby }];
  });
}

const ready = (options, headers = {}) => call(fakeApplication(options).application, "GET", "/ready", { headers });

test("GET /ready is 200 with the local cluster's role and the age of the last replicated write", async () => {
  const primary = await ready({ database: cluster({}) });
  assert.equal(primary.status, 200);
  const { checkedAt, ...body } = primary.body;
  assert.equal(new Date(checkedAt).toISOString(), checkedAt);
  assert.deepEqual(body, {
    status: "ready",
    region: "us-east-1",
    failing: [],
    parts: {
      writer: { ready: true, epoch: 3 },
      cluster: { ready: true, role: "primary" },
      replication: { ready: true, lastWriteAgeSeconds: 1.235 },
      bus: { ready: true },
    },
  });
  for (const local of [true, sqlError("57P03")]) {
    const { body: standby } = await ready({ database: cluster({ local, age: null }) });
    assert.equal(standby.parts.cluster.role, "secondary");
    assert.equal(standby.parts.replication.lastWriteAgeSeconds, null);
  }
  const early = await ready({ database: cluster({ age: -0.1 }) });
  assert.equal(early.body.parts.replication.lastWriteAgeSeconds, 0);
});

const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED", syscall: "connect" });
for (const [part, reason, database, aws] of [
  ["writer", "unreachable", cluster({ writer: sqlError("57P01") }), {}],
  ["writer", "unreachable", cluster({ writer: refused }), {}],
  ["writer", "read_only", cluster({ writer: true }), {}],
  ["writer", "credentials_refused", cluster({ writer: sqlError("28P01") }), {}],
  ["writer", "connections_exhausted", cluster({ writer: sqlError("53300") }), {}],
  ["writer", "schema_missing", cluster({ writer: sqlError("42P01") }), {}],
  ["writer", "schema_missing", cluster({ records: null }), {}],
  ["replication", "unreachable", Object.assign(cluster({}), { onConnect: async ({ host }) => {
    if (host === "reader.test") {
      throw refused;
    }
  } }), {}],
  ["replication", "replication_stale", cluster({ age: 901 }), {}],
  ["bus", "ResourceNotFoundException", cluster({}), {
    describeEventBus: async () => {
      throw Object.assign(new Error("x"), { name: "ResourceNotFoundException" });
    },
  }],
]) {
  test(`H3, H28: GET /ready is 503 and names ${part} when it fails with ${reason}`, async () => {
    const response = await ready({ database, aws });
    assert.equal(response.status, 503);
    assert.equal(response.body.status, "not-ready");
    assert.deepEqual(response.body.failing, [part]);
    assert.deepEqual(response.body.parts[part], { ready: false, reason });
  });
}

test("H26: GET /ready is 503 where the writer's epoch is smaller than one that is known", async () => {
  const database = cluster({});
  let time = 0;
  const { application } = fakeApplication({ database, now: () => time });
  assert.equal((await call(application, "GET", "/ready")).status, 200);
  const { answer } = database;
  database.answer = (text, values, options) => answer(text, values, options).map((row) => ({ ...row, epoch: "2" }));
  time = 2_000;
  const { body } = await call(application, "GET", "/ready");
  assert.deepEqual(body.parts.writer, { ready: false, reason: "demoted" });
});

test("a part of GET /ready that hangs is given up after its own time; the others answer", async () => {
  const database = cluster({});
  const answer = database.answer;
  database.answer = (text, values, options) => (options.host === "writer.test" ? new Promise(() => {}) : answer(text, values, options));
  const started = Date.now();
  const response = await ready({ database });
  assert.deepEqual(response.body.failing, ["writer"]);
  assert.equal(response.body.parts.writer.reason, "unreachable");
  assert.ok(Date.now() - started < 3_000);
});

const TOKEN = { READINESS_TOKEN_SECRET_ARN: "arn:token" };

test("trap 64: with a token configured GET /ready answers those who bring it, and is 404 to all others, like no path", async () => {
  const database = cluster({});
  let reads = 0;
  const readSecretText = async (arn) => {
    assert.equal(arn, "arn:token");
    reads += 1;
    return "right";
  };
  const { application } = fakeApplication({ database, variables: TOKEN, aws: { readSecretText } });
  const ask = async (headers) => call(application, "GET", "/ready", { headers });
  const nowhere = await call(application, "GET", "/nowhere");
  const none = await ask({});
  assert.deepEqual([none.status, none.body], [404, nowhere.body]);
  assert.equal(reads, 0);
  for (const wrong of ["wrong", "", "right ", "undefined"]) {
    assert.equal((await ask({ "X-Readiness-Token": wrong })).status, 404);
  }
  assert.equal(database.pools.length, 0);
  assert.equal((await ask({ "X-Readiness-Token": "right" })).status, 200);
  // Guesses don't read the secret again and again.
  assert.equal(reads, 1);
});

test("trap 64: a rotated token is read anew, at most every 30 s; one that can't be read is 503", async () => {
  let token = "old";
  let time = 0;
  let reads = 0;
  const readSecretText = async () => {
    reads += 1;
    if (token === undefined) {
      throw new Error("away");
    }
    return token;
  };
  const { application } = fakeApplication({ database: cluster({}), variables: TOKEN, aws: { readSecretText }, now: () => time });
  const ask = async (given) => (await call(application, "GET", "/ready", { headers: { "x-readiness-token": given } })).status;
  assert.equal(await ask("old"), 200);
  token = "new";
  time = 29_999;
  assert.equal(await ask("new"), 404);
  time = 30_000;
  assert.equal(await ask("new"), 200);
  assert.equal(reads, 2);
  token = undefined;
  time = 60_000;
  assert.equal(await ask("newer"), 503);
  assert.equal(await ask("new"), 200);
});

test("trap 64: GET /ready asks the database at most every two seconds, however often it is asked", async () => {
  const database = cluster({});
  let time = 0;
  const { application } = fakeApplication({ database, now: () => time });
  const ask = () => call(application, "GET", "/ready");
  const first = await Promise.all([ask(), ask(), ask()]);
  time = 1_999;
  first.push(await ask());
  const asked = database.statements.length;
  assert.equal(asked, 3);
  assert.equal(new Set(first.map(({ body }) => body.checkedAt)).size, 1);
  time = 2_000;
  await ask();
  assert.equal(database.statements.length, 2 * asked);
});
