import assert from "node:assert/strict";
import test from "node:test";
import { createCredentials } from "../src/credentials.mjs";
import { createDatabase } from "../src/database.mjs";
import { judge } from "../src/database_faults.mjs";
import { HttpError, UnavailableError } from "../src/errors.mjs";
import { fakeDatabase, sqlError } from "./support.mjs";

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const soon = (milliseconds = 5_000) => Date.now() + milliseconds;
const query = (client) => client.query("SELECT 1");

function create(fake, more = {}) {
  let reads = 0;
  const readSecret = async () => ({ username: "api", password: `password-${(reads += 1)}` });
  return createDatabase({
    endpoints: { writer: "writer.test", reader: "reader.test", cluster: "cluster.test" },
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

test("a connection lost while idle or in use is told of, and ends nothing", async () => {
  const told = [];
  const fake = failing();
  const database = create(fake, { logger: { ...silent, warn: (message, fields) => told.push([message, fields.target]) } });
  await database.run("writer", soon(), async (client) => client.emit("error", new Error("lost in use")));
  fake.pools[0].emit("error", new Error("lost while idle"));
  assert.deepEqual(told, [["idle database connection lost", "writer"]]);
});

test("the readiness check's connection to the cluster is closed after use, whatever came of it", async () => {
  const fake = failing(sqlError("40001"));
  await create(fake).run("cluster", soon(), query);
  assert.deepEqual(fake.released, [true, true]);
});

test("the real driver's refused connection is 503", async () => {
  const database = create(failing(), {
    endpoints: { writer: "127.0.0.1", reader: "", cluster: "" },
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
