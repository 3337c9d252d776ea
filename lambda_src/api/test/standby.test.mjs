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

/** What the three endpoints answer: whether each is a standby, or an error; and the age in seconds. */
function cluster({ writer = false, local = false, age = 1.2345 }) {
  return fakeDatabase((text, _, { host }) => {
    if (host === "reader.test") {
      return [{ age }];
    }
    const standby = host === "writer.test" ? writer : local;
    if (standby instanceof Error) {
      throw standby;
    }
    return [{ standby }];
  });
}

test("GET /ready is 200 with the local cluster's role and the age of the last replicated write", async () => {
  const primary = await call(fakeApplication({ database: cluster({}) }).application, "GET", "/ready");
  assert.equal(primary.status, 200);
  assert.deepEqual(primary.body, {
    status: "ready",
    region: "us-east-1",
    failing: [],
    parts: {
      writer: { ready: true },
      cluster: { ready: true, role: "primary" },
      replication: { ready: true, lastWriteAgeSeconds: 1.235 },
      bus: { ready: true },
    },
  });
  for (const local of [true, sqlError("57P03")]) {
    const { body } = await call(fakeApplication({ database: cluster({ local, age: null }) }).application, "GET", "/ready");
    assert.equal(body.parts.cluster.role, "secondary");
    assert.equal(body.parts.replication.lastWriteAgeSeconds, null);
  }
  const early = await call(fakeApplication({ database: cluster({ age: -0.1 }) }).application, "GET", "/ready");
  assert.equal(early.body.parts.replication.lastWriteAgeSeconds, 0);
});

for (const [part, reason, database, aws] of [
  ["writer", "writer_unavailable", cluster({ writer: sqlError("57P01") }), {}],
  ["writer", "writer_read_only", cluster({ writer: true }), {}],
  ["replication", "replication_stale", cluster({ age: 901 }), {}],
  ["bus", "ResourceNotFoundException", cluster({}), {
    describeEventBus: async () => {
      throw Object.assign(new Error("x"), { name: "ResourceNotFoundException" });
    },
  }],
]) {
  test(`GET /ready is 503 and names ${part} when it fails with ${reason}`, async () => {
    const response = await call(fakeApplication({ database, aws }).application, "GET", "/ready");
    assert.equal(response.status, 503);
    assert.equal(response.body.status, "not-ready");
    assert.deepEqual(response.body.failing, [part]);
    assert.deepEqual(response.body.parts[part], { ready: false, reason });
  });
}

test("a part of GET /ready that hangs is given up after its own time; the others answer", async () => {
  const database = cluster({});
  const answer = database.answer;
  database.answer = (text, values, options) => (options.host === "writer.test" ? new Promise(() => {}) : answer(text, values, options));
  const started = Date.now();
  const response = await call(fakeApplication({ database }).application, "GET", "/ready");
  assert.deepEqual(response.body.failing, ["writer"]);
  assert.ok(Date.now() - started < 3_000);
});
