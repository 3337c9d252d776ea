import assert from "node:assert/strict";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { EventEmitter } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import pg from "pg";
import { GRANTS, STEPS } from "../src/schema.mjs";
import { scramVerifier } from "../src/scram.mjs";
import { fakeApplication } from "./support.mjs";

/** A client of a database that has these schema versions and knows these users. */
function fakeClient({ versions = [], users = [], fail, cron, audit, epoch = "1" } = {}) {
  const statements = [];
  const client = Object.assign(new EventEmitter(), {
    ended: 0,
    statements,
    escapeIdentifier: pg.escapeIdentifier,
    escapeLiteral: pg.escapeLiteral,
    connect: async () => client.emit("error", new Error("a fault between two statements")),
    end: async () => {
      client.ended += 1;
    },
    query: async (text, values) => {
      statements.push(text);
      if (fail?.test(text)) {
        throw new Error("refused");
      }
      if (text === "SELECT epoch FROM recovery.epoch") {
        return { rows: [{ epoch }] };
      }
      if (text.includes("pgaudit.role")) {
        return { rows: audit ? [{ role: audit }] : [] };
      }
      if (text.includes("pg_available_extensions")) {
        return { rows: cron ? [cron] : [] };
      }
      if (text.startsWith("SELECT version")) {
        return { rows: versions.map((version) => ({ version })) };
      }
      return { rows: [], rowCount: text.includes("pg_roles") && users.includes(values[0]) ? 1 : 0, values };
    },
  });
  return client;
}

async function run(client, variables, { username = 'api"user', event, readParameter } = {}) {
  const opened = [];
  const stages = {};
  const createClient = async (given) => {
    opened.push(given);
    return client;
  };
  const readSecret = async (arn, stage) => {
    stages[arn] = stage;
    return arn === "arn:master" ? { username: "master", password: "m" } : { username, password: "secret-word" };
  };
  const { application, lines } = fakeApplication({ aws: { readSecret, ...(readParameter && { readParameter }) }, createClient, variables });
  const result = await application.migrate(event);
  return { result, options: opened[0], opened, stages, lines };
}

test("R9.3: a migration of an empty database makes schema, user and those grants alone in one locked transaction", async () => {
  const client = fakeClient();
  const { result, options, lines } = await run(client);
  assert.deepEqual(result, { applied: [1, 2, 3, 4], version: 4, heartbeat: "absent", audited: "absent", user: 'api"user', stages: {} });
  assert.equal(options.host, "writer.test");
  assert.equal(options.user, "master");
  assert.equal(options.ssl.rejectUnauthorized, true);
  const { statements } = client;
  assert.equal(statements[0], "BEGIN");
  assert.match(statements[1], /pg_advisory_xact_lock/);
  assert.equal(statements.at(-2), "COMMIT");
  assert.ok(!statements.some((text) => text.includes("EXTENSION IF NOT EXISTS pgaudit")));
  assert.match(statements.at(-1), /pg_available_extensions/);
  assert.ok(STEPS.every((step) => step.statements.every((statement) => statements.includes(statement))));
  assert.ok(statements.includes('CREATE ROLE "api""user" LOGIN'));
  const revoked = statements.indexOf('REVOKE ALL ON ALL TABLES IN SCHEMA public, recovery FROM "api""user"');
  assert.equal(statements[revoked + 1], 'REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public, recovery FROM "api""user"');
  assert.ok(revoked > 0);
  const granted = statements.filter((statement) => statement.startsWith("GRANT ") && statements.indexOf(statement) > revoked);
  assert.deepEqual(granted, GRANTS.map((grant) => `GRANT ${grant} TO "api""user"`));
  assert.doesNotMatch(JSON.stringify([statements, lines]), /secret-word/);
  assert.equal(client.ended, 2);
});

test("H26: a migration and a rotation commit nothing on a writer that isn't of the newest epoch, or that nobody can compare", async () => {
  const variables = { EPOCH_PARAMETER: "/own", PEER_EPOCH_PARAMETER: "/peer", PEER_REGION: "us-west-2" };
  const answers = { "/own": "1", "/peer": "2" };
  const readParameter = async (name) => answers[name] ?? Promise.reject(Object.assign(new Error("x"), { name: "TimeoutError" }));
  const event = { stages: { application: "AWSPENDING" } };
  for (const [epoch, message] of [
    ["1", /the writer is of epoch 1, the newest known is 2/],
    ["2", undefined],
  ]) {
    const client = fakeClient({ epoch });
    const done = run(client, variables, { event, readParameter });
    await (message ? assert.rejects(done, { message }) : done);
    assert.equal(client.statements.includes("COMMIT"), message === undefined);
    assert.equal(client.ended, message === undefined ? 2 : 1);
  }
  delete answers["/peer"];
  await run(fakeClient(), variables, { readParameter });
  delete answers["/own"];
  const unknown = fakeClient();
  await assert.rejects(run(unknown, variables, { readParameter }), { name: "UncomparedError" });
  assert.ok(!unknown.statements.includes("COMMIT"));
});

test("trap 42: a migration ends with a login of the application's user, and fails where it is refused", async () => {
  const client = fakeClient();
  const { opened } = await run(client);
  assert.deepEqual(
    opened.map(({ user, password, database }) => [user, password, database]),
    [
      ["master", "m", "app"],
      ['api"user', "secret-word", "app"],
    ],
  );
  const refusing = fakeClient();
  let logins = 0;
  refusing.connect = async () => {
    logins += 1;
    if (logins === 2) {
      throw new Error("28P01");
    }
  };
  await assert.rejects(run(refusing), /28P01/);
  assert.equal(refusing.ended, 2);
});

test("trap 42: a rotation names the versions, and the user who may still log in keeps every grant", async () => {
  const event = { stages: { application: "AWSPENDING" } };
  for (const [username, other] of [
    ["api", "api_b"],
    ["api_b", "api"],
  ]) {
    const client = fakeClient({ versions: [1, 2, 3, 4], users: [other] });
    const { stages, result } = await run(client, {}, { username, event });
    assert.deepEqual([result.user, result.stages], [username, event.stages]);
    assert.deepEqual(stages, { "arn:master": undefined, "arn:application": "AWSPENDING" });
    for (const user of [username, other]) {
      assert.ok(client.statements.includes(`GRANT ${GRANTS[0]} TO "${user}"`), user);
    }
    const passwords = client.statements.filter((text) => text.startsWith("ALTER ROLE"));
    assert.deepEqual(passwords.length, 1);
    assert.match(passwords[0], new RegExp(`"${username}"`));
  }
});

test("trap 42: whether it knows rotations is answered without a database, whose password may be between two", async () => {
  const createClient = async () => assert.fail("the database isn't asked");
  const { application } = fakeApplication({ createClient });
  assert.deepEqual(await application.migrate({ knows: "rotations" }), { knows: true });
  assert.deepEqual(await application.migrate({ knows: "something else" }), { knows: false });
});

test("trap 53: where pgaudit is loaded, whoever reads or changes a record is logged, in the migration's transaction", async () => {
  const fresh = fakeClient({ audit: "rds_pgaudit" });
  assert.equal((await run(fresh)).result.audited, "records");
  const made = ["CREATE EXTENSION IF NOT EXISTS pgaudit", "CREATE ROLE rds_pgaudit", "GRANT SELECT, UPDATE, DELETE ON public.records TO rds_pgaudit"];
  const at = made.map((text) => fresh.statements.indexOf(text));
  assert.ok(at.every((place) => place > 0 && place < fresh.statements.indexOf("COMMIT")), String(at));
  const again = fakeClient({ audit: "rds_pgaudit", users: ["rds_pgaudit"] });
  await run(again);
  assert.ok(!again.statements.includes("CREATE ROLE rds_pgaudit"));
  const unset = await run(fakeClient({ audit: "none" }));
  assert.match(unset.result.audited, /pgaudit.role isn't set/);
});

test("a repeated migration applies nothing and makes no user", async () => {
  const client = fakeClient({ versions: [1, 2, 3, 4], users: ['api"user'] });
  const { result } = await run(client);
  assert.deepEqual(result, { applied: [], version: 4, heartbeat: "absent", audited: "absent", user: 'api"user', stages: {} });
  assert.ok(client.statements.every((text) => !/CREATE (ROLE|INDEX|SCHEMA|TABLE public)|ALTER TABLE/.test(text)));
});

test("a migration of the first schema applies the later steps alone", async () => {
  const { result } = await run(fakeClient({ versions: [1], users: ['api"user'] }));
  assert.deepEqual(result.applied, [2, 3, 4]);
});

test("the question for orphaned events finds its rows by the indices of step 4", async () => {
  const client = fakeClient({ versions: [1, 2, 3], users: ['api"user'] });
  const { result } = await run(client);
  assert.deepEqual(result.applied, [4]);
  const made = client.statements.filter((text) => text.startsWith("CREATE"));
  assert.deepEqual(
    made.map((text) => text.match(/ON (public\.\w+ \(.+)$/)?.[1]).filter(Boolean),
    ["public.records ((event_id::text))", "public.receipts (received_at)", "public.receipts (event_key) WHERE withdrawn_at IS NOT NULL"],
  );
});

for (const [version, schedule] of [
  ["1.6", "10 seconds"],
  ["1.5", "10 seconds"],
  ["2.0", "10 seconds"],
  ["1.4", "* * * * *"],
  ["0.9", "* * * * *"],
]) {
  test(`with pg_cron ${version} the database beats by itself, "${schedule}", in the database that pg_cron lives in`, async () => {
    const client = fakeClient({ versions: [1, 2, 3, 4], users: ['api"user'], cron: { version, home: "postgres" } });
    const seen = [];
    const query = client.query;
    client.query = (text, values) => {
      seen.push([text, values]);
      return query(text, values);
    };
    const { result, opened } = await run(client);
    assert.equal(result.heartbeat, schedule);
    assert.deepEqual([opened[1].database, opened[1].user, client.ended], ["postgres", "master", 3]);
    const [create, beat, purge] = seen.slice(-3);
    assert.equal(create[0], "CREATE EXTENSION IF NOT EXISTS pg_cron");
    assert.deepEqual([beat[1][0], beat[1][1], beat[1][3]], ["warm-standby-heartbeat", schedule, "app"]);
    assert.match(beat[1][2], /INSERT INTO public.heartbeats \(source\) VALUES \('database'\)\s+ON CONFLICT/);
    assert.match(purge[1][2], /DELETE FROM cron.job_run_details/);
  });
}

test("a pg_cron that is there and refuses fails the migration, after its schema, and ends both connections", async () => {
  const client = fakeClient({ fail: /CREATE EXTENSION/, cron: { version: "1.6", home: "postgres" } });
  await assert.rejects(run(client), /refused/);
  assert.ok(client.statements.includes("COMMIT"));
  assert.equal(client.ended, 2);
});

test("a failing migration commits nothing, ends its connection and fails", async () => {
  const client = fakeClient({ fail: /GRANT USAGE/ });
  await assert.rejects(run(client), /refused/);
  assert.ok(!client.statements.includes("COMMIT"));
  assert.equal(client.ended, 1);
});

test("a migration trusts the certificate authority that the environment names", async () => {
  const directory = mkdtempSync(join(tmpdir(), "ca-"));
  writeFileSync(join(directory, "ca.pem"), "PEM");
  const file = join(directory, "ca.pem");
  for (const variables of [
    { DATABASE_CERTIFICATE_AUTHORITIES: file },
    { NODE_EXTRA_CA_CERTS: file, DATABASE_CERTIFICATE_AUTHORITIES: "/not/here" },
  ]) {
    const { options } = await run(fakeClient(), variables);
    assert.equal(options.ssl.ca, "PEM");
  }
  rmSync(directory, { recursive: true });
});

test("a migration by the real driver fails when nothing listens", async () => {
  const { application } = fakeApplication({ variables: { DATABASE_WRITER_ENDPOINT: "127.0.0.1", DATABASE_PORT: "1" } });
  await assert.rejects(application.migrate(), { code: "ECONNREFUSED" });
});

test("the stored form of a password proves exactly that password (RFC 5802)", () => {
  const salt = Buffer.alloc(16, 7);
  const [, iterations, salted, storedKey, serverKey] = /^SCRAM-SHA-256\$(\d+):(.+)\$(.+):(.+)$/.exec(scramVerifier("pencil", salt));
  assert.equal(salted, salt.toString("base64"));
  const key = pbkdf2Sync("pencil", salt, Number(iterations), 32, "sha256");
  const clientKey = createHmac("sha256", key).update("Client Key").digest();
  assert.equal(storedKey, createHash("sha256").update(clientKey).digest("base64"));
  assert.equal(serverKey, createHmac("sha256", key).update("Server Key").digest("base64"));
  assert.notEqual(scramVerifier("pencil"), scramVerifier("pencil"));
});
