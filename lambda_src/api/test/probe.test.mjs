import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { createServer } from "node:net";
import test from "node:test";
import { fakeApplication, sqlError } from "./support.mjs";

const ENDPOINTS = { DATABASE_SERVER_NAMES: "cluster.test,peer.test" };
const at = new Date("2026-01-02T03:04:05.678Z");
const refused = () => Object.assign(new Error("connect"), { code: "ECONNREFUSED", syscall: "connect" });

const READER = { now: at, epoch: "3", is_aurora: false, heartbeat_at: at, sequence: "7", created_at: at };

/** What a healthy database answers to each of the probe's questions. */
function healthy(text, host) {
  if (text.startsWith("INSERT INTO public.heartbeats")) {
    return [{ beat_at: at, exactly: "exactly" }];
  }
  if (text.startsWith("SELECT epoch")) {
    return [{ epoch: "3" }];
  }
  if (text.startsWith("SELECT NOT pg_is_in_recovery")) {
    return [{ writes: host === "cluster.test", epoch: "3" }];
  }
  if (text.includes("pg_last_wal_replay_lsn")) {
    return [{ lsn: "50331744" }];
  }
  return [READER];
}

/** The probe on clients that a test scripts: `connect(host)` and `answer(text, host, values)` may throw. */
function probing({ connect = async () => {}, answer = healthy, variables = {}, aws = {} } = {}) {
  const seen = [];
  const counts = { opened: 0, ended: 0 };
  const createClient = async (options) => {
    counts.opened += 1;
    const client = new EventEmitter();
    return Object.assign(client, {
      connect: async () => {
        client.emit("error", new Error("lost between two statements"));
        await connect(options.host, options);
      },
      query: async (text, values) => {
        seen.push([options.host, text, values]);
        return { rows: await answer(text, options.host) };
      },
      end: async () => {
        counts.ended += 1;
      },
    });
  };
  const { application, lines } = fakeApplication({ variables: { ...ENDPOINTS, ...variables }, createClient, aws });
  return { probe: application.probe, seen, counts, lines };
}

test("the probe commits on the writer, asks both clusters for their role, and reads this region's reader", async () => {
  const { probe, seen, counts, lines } = probing();
  const { at: when, elapsed_ms: elapsed, ...observed } = await probe();
  assert.equal(new Date(when).toISOString(), when);
  assert.ok(Number.isInteger(elapsed));
  assert.deepEqual(observed, {
    region: "us-east-1",
    writer_sql: { value: "alive", tries: [], committed_at: at.toISOString(), epoch: 3 },
    own_cluster: { value: "alive", tries: [], writes: true, epoch: 3 },
    peer_cluster: { value: "alive", tries: [], writes: false, epoch: 3 },
    own_reader: {
      value: "alive",
      tries: [],
      now: at.toISOString(),
      epoch: 3,
      heartbeat_at: at.toISOString(),
      newest_record: { sequence: "7", created_at: at.toISOString() },
      primary_lsn: "50331744",
      global_status: [],
    },
  });
  const commit = seen.find(([, text]) => text.startsWith("INSERT"));
  assert.deepEqual([commit[0], commit[2]], ["writer.test", ["probe:us-east-1"]]);
  assert.deepEqual(new Set(seen.map(([host]) => host)), new Set(["writer.test", "cluster.test", "peer.test", "reader.test"]));
  assert.deepEqual(counts, { opened: 4, ended: 4 });
  assert.deepEqual([lines[0].writer, lines[0].reader], ["alive", "alive"]);
});

test("on Aurora the reader gives each region's lag and the primary's LSN", async () => {
  const status = (region, lag) => ({
    aws_region: region,
    highest_lsn_written: `9007199254740993${lag}`,
    durability_lag_in_msec: String(lag),
    rpo_lag_in_msec: "12",
    last_lag_calculation_time: at,
  });
  const of = async (rows) => {
    const answer = (text, host) => {
      if (text.includes("FROM aurora_global_db_status()")) {
        return rows;
      }
      const found = healthy(text, host);
      return found[0] === READER ? [{ ...READER, is_aurora: true }] : found;
    };
    return (await probing({ answer }).probe({ action: "observe" })).own_reader;
  };
  const reader = await of([status("us-west-2", 45), status("us-east-1", -1)]);
  assert.equal(reader.primary_lsn, "9007199254740993-1");
  assert.deepEqual(reader.global_status[0], {
    region: "us-west-2",
    highest_lsn_written: "900719925474099345",
    durability_lag_ms: 45,
    rpo_lag_ms: 12,
    measured_at: at.toISOString(),
  });
  assert.equal((await of([status("us-west-2", 45)])).primary_lsn, null);
});

test("a reader that answers but won't give its replication is alive all the same; a lost one is asked again", async () => {
  let asked = 0;
  const failing = (error) => (text, host) => {
    if (text.includes("pg_last_wal_replay_lsn")) {
      asked += 1;
      throw error;
    }
    return healthy(text, host);
  };
  const { own_reader: reader } = await probing({ answer: failing(sqlError("0A000")) }).probe();
  assert.deepEqual([reader.value, reader.primary_lsn, reader.replication_sqlstate, asked], ["alive", null, "0A000", 1]);
  const { own_reader: lost } = await probing({ answer: failing(new Error("Connection terminated unexpectedly")) }).probe();
  assert.deepEqual([lost.value, asked], ["dead", 3]);
});

test("an empty database has no newest record and no heartbeat, and is alive", async () => {
  const empty = { ...READER, heartbeat_at: null, sequence: null, created_at: null };
  const answer = (text, host) => {
    const found = healthy(text, host);
    return found[0] === READER ? [empty] : found;
  };
  const { own_reader: reader } = await probing({ answer }).probe();
  assert.deepEqual([reader.value, reader.newest_record, reader.heartbeat_at], ["alive", null, null]);
});

/** The writer's value when its two tries end with these errors; undefined: the try succeeds. */
async function writerAfter(...errors) {
  const left = [...errors];
  const connect = async (host) => {
    const error = host === "writer.test" ? left.shift() : undefined;
    if (error !== undefined) {
      throw error;
    }
  };
  const { writer_sql: writer, own_reader: reader } = await probing({ connect }).probe();
  assert.equal(reader.value, "alive");
  return writer;
}

for (const [value, what, errors] of [
  ["dead", "refuses twice", [refused(), refused()]],
  ["dead", "is shutting down and then starting", [sqlError("57P01"), sqlError("57P03")]],
  ["dead", "crashed", [sqlError("57P02"), refused()]],
  ["alive", "answers at the second try", [refused(), undefined]],
  ["unknown", "refuses the credentials", [sqlError("28P01"), sqlError("28P01")]],
  ["unknown", "has no connection left", [sqlError("53300"), sqlError("53300")]],
  ["unknown", "only reads", [sqlError("25006"), sqlError("25006")]],
  ["unknown", "lacks the schema", [sqlError("42P01"), sqlError("42P01")]],
  ["unknown", "shows another certificate", [Object.assign(new Error("x"), { code: "ERR_TLS_CERT_ALTNAME_INVALID" }), refused()]],
  ["unknown", "has no address", [Object.assign(new Error("x"), { code: "ENOTFOUND", syscall: "getaddrinfo" }), refused()]],
  ["unknown", "answers a fault once", [sqlError("XX000", "m", "FATAL"), refused()]],
]) {
  test(`H7, H28: a writer that ${what} is ${value}`, async () => {
    const writer = await writerAfter(...errors);
    assert.equal(writer.value, value);
    assert.equal(writer.tries.length, errors.filter((error) => error !== undefined).length);
    for (const tried of writer.tries) {
      assert.match(tried.reason, /^[a-z_]+$/);
      assert.ok(tried.elapsed_ms >= 0);
    }
    assert.equal(writer.tries[0].sqlstate, errors[0].severity === undefined ? undefined : errors[0].code);
  });
}

test("H28: refused credentials are read anew for the second try; a secret that can't be read is unknown", async () => {
  let reads = 0;
  const readSecret = async () => ({ username: "api", password: `password-${(reads += 1)}` });
  const connect = async (host, { password }) => {
    if (host === "writer.test" && password === "password-1") {
      throw sqlError("28P01");
    }
  };
  const { writer_sql: writer } = await probing({ connect, aws: { readSecret } }).probe();
  assert.deepEqual([writer.value, writer.tries.length, reads >= 2], ["alive", 1, true]);
  const away = async () => {
    throw new Error("away");
  };
  const observed = await probing({ aws: { readSecret: away } }).probe();
  assert.deepEqual([observed.writer_sql.value, observed.writer_sql.tries[0].reason], ["unknown", "credentials_unreadable"]);
});

test("an endpoint that isn't configured is unknown without a try", async () => {
  const { peer_cluster: peer } = await probing({ variables: { DATABASE_SERVER_NAMES: "" } }).probe();
  assert.deepEqual(peer, { value: "unknown", tries: [{ reason: "not_configured" }] });
});

test("H7: a database that accepts and never answers is dead after two tries of 5 s, within the controller's 12 s", async (t) => {
  const sockets = [];
  const hung = createServer((socket) => sockets.push(socket));
  await new Promise((resolve) => hung.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    sockets.forEach((socket) => socket.destroy());
    hung.close();
  });
  const here = "127.0.0.1";
  const { application } = fakeApplication({
    variables: {
      DATABASE_WRITER_ENDPOINT: here,
      DATABASE_CLUSTER_ENDPOINT: here,
      DATABASE_READER_ENDPOINT: here,
      DATABASE_SERVER_NAMES: "localhost",
      DATABASE_PORT: String(hung.address().port),
    },
  });
  const started = Date.now();
  const observed = await application.probe({});
  const elapsed = Date.now() - started;
  for (const part of ["writer_sql", "own_cluster", "peer_cluster", "own_reader"]) {
    assert.equal(observed[part].value, "dead", part);
    assert.ok(observed[part].tries.every((tried) => tried.elapsed_ms >= 4_900), part);
  }
  assert.ok(elapsed < 12_000, `${elapsed} ms`);
});

/** What `verify` finds where the global endpoint shows this row, or throws. */
async function verified({ own, global, variables }) {
  const answer = (text, host, values) => {
    if (text.startsWith("INSERT")) {
      assert.deepEqual([host, values], ["cluster.test", ["verify:us-east-1"]]);
      if (own !== undefined) {
        throw own;
      }
      return healthy(text, host);
    }
    assert.deepEqual([host, values], ["writer.test", ["verify:us-east-1"]]);
    if (global instanceof Error) {
      throw global;
    }
    return [global];
  };
  const { probe, seen, counts } = probing({ answer: (text, host) => answer(text, host, seen.at(-1)[2]), variables });
  const result = await probe({ action: "verify" });
  assert.equal(counts.opened, counts.ended);
  return result;
}

for (const [what, options, expected] of [
  ["leads here", { global: { writes: true, exactly: "exactly" } }, { wrote: true, endpoint: "us-east-1", detail: "" }],
  ["leads to a demoted volume that still writes", { global: { writes: true, exactly: "before" }, variables: { PEER_REGION: "us-west-2" } }, { wrote: true, endpoint: "us-west-2", detail: "" }],
  ["leads to a server without the row", { global: { writes: true, exactly: null } }, { wrote: true, endpoint: "elsewhere", detail: "" }],
  ["leads to a reader, which has the row by replication", { global: { writes: false, exactly: "exactly" } }, { wrote: true, endpoint: "", detail: "the global endpoint leads to a server that only reads" }],
  ["leads nowhere", { global: refused() }, { wrote: true, endpoint: "", detail: "global endpoint: unreachable" }],
  ["isn't asked where the own cluster only reads", { own: sqlError("25006") }, { wrote: false, endpoint: "", detail: "own cluster: read_only" }],
]) {
  test(`H22: a promotion is verified by writing here and by where the global endpoint leads: it ${what}`, async () => {
    assert.deepEqual(await verified(options), expected);
  });
}

test("H26: the epoch grows on the own cluster, which was promoted, by one call with the time of the promotion when it is known", async () => {
  const answer = (text) => {
    assert.match(text, /^SELECT recovery.grow_epoch/);
    return [{ epoch: "4" }];
  };
  const { probe, seen } = probing({ answer });
  assert.deepEqual(await probe({ action: "grow_epoch", epoch: 4, promoted_at: at.toISOString() }), { epoch: 4 });
  assert.deepEqual(await probe({ action: "grow_epoch", epoch: 4 }), { epoch: 4 });
  assert.deepEqual(seen.map(([host, , values]) => [host, values]), [
    ["cluster.test", [4, at.toISOString()]],
    ["cluster.test", [4]],
  ]);
});

for (const event of [
  { action: "grow_epoch" },
  { action: "grow_epoch", epoch: 0 },
  { action: "grow_epoch", epoch: "2" },
  { action: "grow_epoch", epoch: 1.5 },
  { action: "grow_epoch", epoch: 2, promoted_at: "yesterday" },
  { action: "promote" },
]) {
  test(`the probe refuses ${JSON.stringify(event)} in one line and asks no database`, async () => {
    const { probe, counts } = probing();
    await assert.rejects(probe(event), /^Error: probe: /);
    assert.equal(counts.opened, 0);
  });
}
