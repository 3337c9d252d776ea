import assert from "node:assert/strict";
import { createServer } from "node:net";
import test from "node:test";
import { createCredentials } from "../src/credentials.mjs";
import { createDatabase } from "../src/database.mjs";
import { judge, reasonOf } from "../src/database_faults.mjs";
import { DemotedError, createEpochs } from "../src/epochs.mjs";
import { HttpError, UnavailableError } from "../src/errors.mjs";
import { fakeDatabase, sqlError } from "./support.mjs";

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const soon = (milliseconds = 5_000) => Date.now() + milliseconds;
const query = (client) => client.query("SELECT 1");

function create(fake, more = {}) {
  let reads = 0;
  const readSecret = async () => ({ username: "api", password: `password-${(reads += 1)}` });
  return createDatabase({
    endpoints: { writer: "writer.test", reader: "reader.test", cluster: "cluster.test", peerReader: "peer.test" },
    epochs: createEpochs({ parameters: [], readParameter: () => assert.fail(), logger: silent, now: Date.now }),
    port: 5432,
    name: "app",
    tls: { serverNames: ["cluster.test"] },
    credentials: createCredentials({ arn: "arn", readSecret }),
    logger: silent,
    createPool: fake.createPool,
    ...more,
  });
}

/** Fails the first calls with these errors, then answers. */
function failing(...errors) {
  return fakeDatabase(() => {
    if (errors.length > 0) {
      throw errors.shift();
    }
    return [{ one: 1 }];
  });
}

test("a connection is kept, verified by TLS, one for each endpoint, with short timeouts", async () => {
  const fake = failing();
  const database = create(fake);
  await database.run("writer", soon(), query);
  await database.run("writer", soon(), query);
  await database.run("reader", soon(), query);
  assert.deepEqual(
    fake.pools.map(({ options }) => [options.host, options.max, options.ssl.rejectUnauthorized]),
    [
      ["writer.test", 1, true],
      ["reader.test", 1, true],
    ],
  );
  assert.ok(fake.pools[0].options.connectionTimeoutMillis <= 2_000);
  // Trap 60: a frozen function's session is the server's to end; longer than the schedule's minute.
  assert.equal(fake.pools[0].options.options, "-c idle_session_timeout=120000");
  assert.deepEqual(fake.released, [false, false, false]);
  await database.close();
  assert.equal(fake.ended, 2);
});

test("trap 8: a certificate by a cluster's own name is the writer's, one by another name is not", async () => {
  const fake = failing();
  await create(fake).run("writer", soon(), query);
  const { checkServerIdentity } = fake.pools[0].options.ssl;
  const named = (name) => ({ subject: { CN: name }, subjectaltname: `DNS:${name}` });
  assert.equal(checkServerIdentity("writer.test", named("cluster.test")), undefined);
  assert.ok(checkServerIdentity("writer.test", named("other.test")));
});

test("trap 8: 25006 from a demoted writer drops the connection and the work succeeds on a new one", async () => {
  const fake = failing(sqlError("25006"));
  const { rows } = await create(fake).transaction(soon(), query);
  assert.deepEqual(rows, [{ one: 1 }]);
  assert.deepEqual(fake.released, [true, false]);
  assert.deepEqual(
    fake.statements.map(({ text }) => text),
    ["BEGIN", "SELECT 1", "BEGIN", "SELECT 1", "COMMIT"],
  );
});

for (const [what, error] of [
  ["the server shuts down (57P01)", sqlError("57P01")],
  ["trap 60: the server has ended the idle session (57P05)", sqlError("57P05")],
  ["trap 60: the server ends the connection for whatever reason (FATAL)", sqlError("XX000", "m", "FATAL")],
  ["the server panics", sqlError("58030", "m", "PANIC")],
  ["the connection is reset", Object.assign(new Error("read"), { code: "ECONNRESET", syscall: "read" })],
  ["the driver finds it closed", new Error("Connection terminated unexpectedly")],
  ["the server doesn't answer a statement", new Error("Query read timeout")],
  ["a connection exception (class 08)", sqlError("08006")],
  ["the certificate is refused", Object.assign(new Error("x"), { code: "SELF_SIGNED_CERT_IN_CHAIN" })],
]) {
  test(`work is repeated once on a new connection when ${what}, then the writer is away`, async () => {
    const once = failing(error);
    await create(once).run("writer", soon(), query);
    assert.deepEqual(once.released, [true, false]);
    const twice = failing(error, error);
    await assert.rejects(create(twice).run("writer", soon(), query), (thrown) => {
      assert.ok(thrown instanceof UnavailableError);
      assert.equal(thrown.status, 503);
      assert.equal(thrown.code, "writer_unavailable");
      assert.equal(thrown.headers["retry-after"], "5");
      assert.equal(thrown.cause, error);
      return true;
    });
    assert.deepEqual(twice.released, [true, true]);
  });
}

test("a refused password is read again from the secret, also when a lost connection showed it", async () => {
  const fake = failing(sqlError("57P01"));
  const passwords = [];
  fake.onConnect = async ({ password }) => {
    passwords.push(password);
    if (passwords.length === 2) {
      throw sqlError("28P01");
    }
  };
  await create(fake).run("writer", soon(), query);
  assert.deepEqual(passwords, ["password-1", "password-1", "password-2"]);
  assert.equal(fake.ended, 1);
});

test("trap 8: new credentials wait for no old connection, which a dead server may never close", async () => {
  const fake = failing();
  const database = create(fake);
  await database.run("reader", soon(), query);
  fake.pools[0].end = () => new Promise(() => {});
  let refused = 1;
  fake.onConnect = async () => {
    if (refused > 0) {
      refused -= 1;
      throw sqlError("28P01");
    }
  };
  const started = Date.now();
  await database.run("writer", soon(), query);
  assert.ok(Date.now() - started < 1_000);
});

test("a pool that can't be opened takes no newer one with it", async () => {
  const answers = [];
  const read = () => new Promise((resolve, reject) => answers.push({ resolve, reject }));
  const fake = failing();
  const database = create(fake, { credentials: { read, forget() {} } });
  const first = assert.rejects(database.run("writer", soon(), query), { code: "credentials_unavailable" });
  const closing = database.close();
  const second = database.run("writer", soon(), query);
  await new Promise(setImmediate);
  answers[0].reject(new Error("no"));
  answers[1].resolve({ username: "api", password: "p" });
  await Promise.all([first, closing, second]);
  await database.run("writer", soon(), query);
  assert.equal(fake.pools.length, 1);
});

test("a conflict is repeated on the same connection after a rollback", async () => {
  const fake = failing(sqlError("40001"));
  await create(fake).transaction(soon(), query);
  assert.deepEqual(fake.released, [false, false]);
  assert.equal(fake.statements[2].text, "ROLLBACK");
});

test("a connection that can't even roll back is dropped", async () => {
  const fake = failing(sqlError("40001"));
  fake.onTransaction = async (text) => {
    if (text === "ROLLBACK") {
      throw new Error("Connection terminated");
    }
  };
  await create(fake).transaction(soon(), query);
  assert.deepEqual(fake.released, [true, false]);
});

test("too many connections and a schema that isn't there are 503 at once, without a repetition", async () => {
  for (const code of ["53300", "42P01", "57014"]) {
    const fake = failing(sqlError(code));
    await assert.rejects(create(fake).run("reader", soon(), query), { code: "reader_unavailable" });
    assert.equal(fake.statements.length, 1);
  }
});

test("an answer meant for the client passes through and rolls back", async () => {
  const fake = failing();
  const refusal = new HttpError(422, "x", "a timeout that is none");
  const work = async () => {
    throw refusal;
  };
  await assert.rejects(create(fake).transaction(soon(), work), refusal);
  assert.deepEqual(
    fake.statements.map(({ text }) => text),
    ["BEGIN", "ROLLBACK"],
  );
});

test("work that hangs ends at the deadline, and its connection is closed", async () => {
  const fake = fakeDatabase(() => new Promise(() => {}));
  const started = Date.now();
  await assert.rejects(create(fake).run("writer", soon(100), query), UnavailableError);
  assert.ok(Date.now() - started < 1_000);
  assert.deepEqual(fake.released, [true]);
});

test("a connection that comes after the deadline is closed, not kept", async () => {
  const fake = failing();
  let open;
  fake.onConnect = () => new Promise((resolve) => (open = resolve));
  await assert.rejects(create(fake).run("writer", soon(50), query), UnavailableError);
  assert.deepEqual(fake.released, []);
  open();
  await new Promise(setImmediate);
  assert.deepEqual(fake.released, [true]);
});

test("a secret that can't be read is 503, and read again by the next request", async () => {
  const fake = failing();
  let reads = 0;
  const readSecret = async () => {
    reads += 1;
    if (reads === 1) {
      throw new Error("aborted");
    }
    return { username: "api", password: "p" };
  };
  const database = create(fake, { credentials: createCredentials({ arn: "arn", readSecret }) });
  await assert.rejects(database.run("writer", soon(), query), { code: "credentials_unavailable", status: 503 });
  await database.run("writer", soon(), query);
});

test("closing copes with a pool that could not be opened", async () => {
  let refuse;
  const read = () => new Promise((_, reject) => (refuse = reject));
  const database = create(failing(), { credentials: { read, forget() {} } });
  const running = assert.rejects(database.run("writer", soon(), query), { code: "credentials_unavailable" });
  await new Promise(setImmediate);
  const closing = database.close();
  refuse(new Error("no"));
  await Promise.all([running, closing]);
});

test("a connection lost while idle or in use is logged, and ends nothing", async () => {
  const warned = [];
  const fake = failing();
  const database = create(fake, { logger: { ...silent, warn: (message, fields) => warned.push([message, fields.target]) } });
  await database.run("writer", soon(), async (client) => client.emit("error", new Error("lost in use")));
  fake.pools[0].emit("error", new Error("lost while idle"));
  assert.deepEqual(warned, [["idle database connection lost", "writer"]]);
});

test("trap 60: too many connections is a lost connection, reported at once and not tried again", () => {
  assert.deepEqual(judge(sqlError("53300")), { drop: true, retry: false, refresh: false, away: true });
  assert.equal(judge(sqlError("53300", "m", "ERROR")).drop, false);
});

/** Milliseconds of the quickest of three: a busy machine may stop any of them. */
async function quickest(work) {
  const took = [];
  for (let index = 0; index < 3; index += 1) {
    const started = performance.now();
    await work();
    took.push(performance.now() - started);
  }
  return Math.min(...took);
}

test("H27: while a dead writer is tried by one request, all others get 503 within 50 ms", async () => {
  let time = 0;
  let isDead = true;
  const fake = failing();
  const tries = [];
  fake.onConnect = () => {
    tries.push(time);
    return isDead ? new Promise(() => {}) : undefined;
  };
  const database = create(fake, { now: () => time });
  const refused = () => assert.rejects(database.run("writer", soon(), query), { code: "writer_unavailable", status: 503 });
  await assert.rejects(database.run("writer", soon(1_050), query), { code: "writer_unavailable" });
  assert.equal(tries.length, 1);
  time = 1_999;
  assert.ok((await quickest(refused)) < 50);
  assert.throws(() => database.admit("writer"), { code: "writer_unavailable" });
  // Another server is not held for dead with it.
  database.admit("reader");
  time = 2_000;
  const trial = assert.rejects(database.run("writer", soon(300), query), { code: "writer_unavailable" });
  assert.ok((await quickest(() => Promise.all(Array.from({ length: 20 }, refused)))) < 50);
  assert.equal(tries.length, 2);
  await trial;
  await refused();
  time = 4_000;
  isDead = false;
  await database.run("writer", soon(), query);
  await Promise.all([database.run("writer", soon(), query), database.run("writer", soon(), query)]);
});

test("H27: work whose time is over says nothing of the server, nor does a connection that had no time to come", async () => {
  const fake = fakeDatabase(() => new Promise(() => {}));
  const database = create(fake);
  await assert.rejects(database.run("writer", soon(1_100), query), { code: "writer_unavailable" });
  fake.onConnect = () => new Promise(() => {});
  await assert.rejects(database.run("writer", soon(100), query), { code: "writer_unavailable" });
  fake.onConnect = async () => {};
  fake.answer = () => [];
  await database.run("writer", soon(), query);
});

test("H27: a trial whose statement never ends keeps the writer dead; one that meets a fault of the work doesn't", async () => {
  let time = 0;
  const fake = fakeDatabase(() => new Promise(() => {}));
  const database = create(fake, { now: () => time });
  fake.onConnect = () => new Promise(() => {});
  await assert.rejects(database.run("writer", soon(1_050), query), { code: "writer_unavailable" });
  fake.onConnect = async () => {};
  time = 2_000;
  await assert.rejects(database.run("writer", soon(200), query), { code: "writer_unavailable" });
  assert.throws(() => database.admit("writer"), { code: "writer_unavailable" });
  time = 4_000;
  fake.answer = () => {
    throw sqlError("22P02");
  };
  await assert.rejects(database.run("writer", soon(), query), { code: "22P02" });
  database.admit("writer");
});

test("H27: the request that tries a dead writer does so once, and for three seconds", async () => {
  let time = 0;
  const fake = failing();
  fake.onConnect = async () => {
    throw Object.assign(new Error("connect"), { code: "ECONNREFUSED", syscall: "connect" });
  };
  const database = create(fake, { now: () => time });
  let connections = 0;
  const connect = fake.onConnect;
  fake.onConnect = (options) => {
    connections += 1;
    return connect(options);
  };
  await assert.rejects(database.run("writer", soon(), query), UnavailableError);
  assert.equal(connections, 2);
  time = 2_000;
  await assert.rejects(database.run("writer", soon(), query), UnavailableError);
  assert.equal(connections, 3);
  time = 4_000;
  fake.onConnect = () => new Promise(() => {});
  const started = Date.now();
  await assert.rejects(database.run("writer", soon(8_000), query), UnavailableError);
  assert.ok(Date.now() - started < 4_000);
});

test("H28: a writer that answers with a fault is tried by every request, and so is one that readiness found alive", async () => {
  let time = 0;
  const fake = failing(sqlError("53300"), sqlError("22P02"), sqlError("57P01"), sqlError("57P01"), sqlError("57P01"), sqlError("57P01"));
  const database = create(fake, { now: () => time });
  await assert.rejects(database.run("writer", soon(), query), { code: "writer_unavailable" });
  await assert.rejects(database.run("writer", soon(), query), { code: "22P02" });
  await assert.rejects(database.run("writer", soon(), query), { code: "writer_unavailable" });
  // Readiness asks whatever the breaker says; its failure doesn't prolong the pause.
  time = 1_500;
  await assert.rejects(database.run("writer", soon(), query, { always: true }), { code: "writer_unavailable" });
  await assert.rejects(database.run("writer", soon(), query), { code: "writer_unavailable" });
  await database.run("writer", soon(), query, { always: true });
  await database.run("writer", soon(), query);
});

/** Epochs of which this one is known from a parameter. */
const knowing = (epoch) => {
  const epochs = createEpochs({ parameters: [], readParameter: () => assert.fail(), logger: silent, now: Date.now });
  epochs.adopt(epoch);
  return epochs;
};

test("H26: nothing is committed on a writer of a smaller epoch than the newest known; its connection is dropped", async () => {
  const fake = failing();
  await assert.rejects(create(fake, { epochs: knowing(2) }).transaction(soon(), query), (error) => {
    assert.deepEqual([error.code, error.status, error.headers["retry-after"]], ["writer_demoted", 503, "5"]);
    assert.ok(error.cause instanceof DemotedError);
    return true;
  });
  assert.ok(fake.statements.every(({ text }) => text !== "COMMIT"));
  assert.deepEqual(fake.released, [true, true]);
});

test("H26: no work is begun on a writer that is known to be demoted, so that it publishes nothing", async () => {
  const fake = failing();
  await assert.rejects(create(fake, { epochs: knowing(2) }).transaction(soon(), query), { code: "writer_demoted" });
  assert.deepEqual(fake.statements.map(({ text }) => text), ["BEGIN", "BEGIN"]);
});

test("H26: what was committed while a newer epoch became known is no success: it is done again where that one is", async () => {
  for (const [after, outcome] of [["1", "writer_demoted"], ["2", undefined]]) {
    const fake = failing();
    const epochs = knowing(1);
    fake.onTransaction = async (text) => {
      if (text === "COMMIT") {
        epochs.adopt(2);
        fake.epoch = after;
      }
    };
    const seen = await create(fake, { epochs }).transaction(soon(), async (_, epoch) => epoch).catch(({ code }) => code);
    assert.equal(seen, outcome ?? 2);
    assert.deepEqual(fake.released, [true, after === "1"]);
  }
});

test("H26: a new connection that leads to the promoted writer commits there", async () => {
  const fake = failing();
  const epochs = knowing(2);
  fake.onConnect = async () => {
    fake.epoch = fake.released.length === 0 ? "1" : "3";
  };
  const database = create(fake, { epochs });
  await database.transaction(soon(), query);
  assert.deepEqual(fake.released, [true, false]);
  // A larger epoch than was known is adopted from the database.
  assert.equal(epochs.known(), 3);
  fake.onConnect = async () => {};
  fake.epoch = "2";
  await assert.rejects(database.transaction(soon(), query), { code: "writer_demoted" });
});

/** Epochs of one parameter. */
const reading = (readParameter, now = Date.now) =>
  createEpochs({ parameters: [{ name: "/epoch" }], readParameter, logger: silent, now });

test("H26: a cold instance begins no work before its writer was compared, and writes nothing where that can't be", async () => {
  const fake = failing();
  const cold = reading(async () => {
    throw Object.assign(new Error("x"), { name: "TimeoutError" });
  });
  const database = create(fake, { epochs: cold });
  const refused = await database.transaction(soon(), query).catch((error) => error);
  assert.deepEqual([refused.code, refused.status, refused.headers["retry-after"], reasonOf(refused)], ["epoch_unknown", 503, "5", "epoch_unknown"]);
  assert.deepEqual(fake.statements.map(({ text }) => text), ["BEGIN", "ROLLBACK"]);
  assert.deepEqual(fake.released, [false]);
  const late = failing();
  const demoted = reading(() => new Promise((resolve) => setTimeout(resolve, 50, "2")));
  await assert.rejects(create(late, { epochs: demoted }).transaction(soon(), query), { code: "writer_demoted" });
  assert.deepEqual(late.statements.map(({ text }) => text), ["BEGIN", "BEGIN"]);
});

test("H26: an epoch that is read while the work is done counts before its commit", async () => {
  const fake = failing();
  let answer = async () => "1";
  let time = 0;
  const epochs = reading(() => answer(), () => time);
  await epochs.refresh();
  time = 5_000;
  answer = () => new Promise((resolve) => (answer = resolve));
  const work = async (client) => {
    answer("2");
    return query(client);
  };
  await assert.rejects(create(fake, { epochs }).transaction(soon(), work), { code: "writer_demoted" });
});

test("a schema without epochs rolls back what had begun", async () => {
  const fake = failing();
  fake.onTransaction = async (text) => {
    if (text === "BEGIN") {
      throw sqlError("42P01");
    }
  };
  await assert.rejects(create(fake).transaction(soon(), query), { code: "writer_unavailable" });
  assert.deepEqual(fake.statements.map(({ text }) => text), ["BEGIN", "ROLLBACK"]);
});

for (const [reason, error] of [
  ["unreachable", Object.assign(new Error("connect"), { code: "ECONNREFUSED", syscall: "connect" })],
  ["unreachable", Object.assign(new Error("x"), { code: "EPIPE" })],
  ["unreachable", new Error("Connection terminated unexpectedly")],
  ["unreachable", new Error("Query read timeout")],
  ["unreachable", sqlError("57P01")],
  ["unreachable", sqlError("57P02")],
  ["unreachable", sqlError("57P03")],
  ["unreachable", new UnavailableError("writer_unavailable", "m", sqlError("57P03"))],
  ["read_only", sqlError("25006")],
  ["demoted", new UnavailableError("writer_demoted", "m", new DemotedError(1, 2))],
  ["credentials_refused", sqlError("28P01")],
  ["credentials_refused", sqlError("28000")],
  ["credentials_refused", sqlError("42501")],
  ["credentials_unreadable", new UnavailableError("credentials_unavailable", "m", new Error("timeout"))],
  ["connections_exhausted", sqlError("53300")],
  ["schema_missing", sqlError("42P01")],
  ["schema_missing", sqlError("3D000")],
  ["schema_missing", sqlError("3F000")],
  ["schema_missing", sqlError("42703")],
  ["schema_missing", sqlError("42883")],
  ["tls_refused", Object.assign(new Error("x"), { code: "SELF_SIGNED_CERT_IN_CHAIN" })],
  ["tls_refused", new Error("The server does not support SSL connections")],
  ["name_unresolved", Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND", syscall: "getaddrinfo" })],
  ["failed", sqlError("57014")],
  ["failed", sqlError("08006")],
  ["failed", new TypeError("x is not a function")],
  ["failed", undefined],
]) {
  test(`H7, H28: ${error?.cause?.code ?? error?.code ?? error?.message} is ${reason}, and no other word`, () => {
    assert.equal(reasonOf(error), reason);
  });
}

test("trap 62: a database that accepts and never answers is given up within the deadline, then refused at once", async (t) => {
  const sockets = [];
  const hung = createServer((socket) => sockets.push(socket));
  await new Promise((resolve) => hung.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    sockets.forEach((socket) => socket.destroy());
    hung.close();
  });
  const database = create(failing(), {
    endpoints: { writer: "127.0.0.1", reader: "", cluster: "", peerReader: "" },
    port: hung.address().port,
    now: () => 0,
    createPool: undefined,
  });
  const ask = () => assert.rejects(database.run("writer", soon(10_000), query), { code: "writer_unavailable", status: 503 });
  const started = Date.now();
  await ask();
  // Two connections of two seconds each.
  assert.ok(Date.now() - started < 10_000);
  assert.equal(sockets.length, 2);
  assert.ok((await quickest(ask)) < 50);
});

test("the readiness check's connection to the cluster is closed after use, whatever came of it", async () => {
  const fake = failing(sqlError("40001"));
  await create(fake).run("cluster", soon(), query);
  assert.deepEqual(fake.released, [true, true]);
});

test("the real driver's refused connection is 503", async () => {
  const database = create(failing(), {
    endpoints: { writer: "127.0.0.1", reader: "", cluster: "", peerReader: "" },
    port: 1,
    createPool: undefined,
  });
  await assert.rejects(database.run("writer", soon(), query), { code: "writer_unavailable" });
  await database.close();
});

test("a fault of our own is neither repeated nor called the database's", () => {
  const nothing = { drop: false, retry: false, refresh: false, away: false };
  assert.deepEqual(judge(new TypeError("x is not a function")), nothing);
  assert.deepEqual(judge(sqlError("22P02")), nothing);
  assert.deepEqual(judge(undefined), nothing);
  assert.equal(judge(Object.assign(new Error("x"), { code: "EPIPE" })).drop, true);
});
