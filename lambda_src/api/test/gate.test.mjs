import assert from "node:assert/strict";
import { createServer } from "node:http";
import test from "node:test";
import { ask, createGate } from "../src/gate.mjs";
import { CONTEXT, albEvent, fakeApplication } from "./support.mjs";

const HOST = "alb-app-us-west-2-test-1.us-west-2.elb.amazonaws.com";
const READS = { status: 200, version: "", code: "" };

/** A gate on scripted answers and a clock of its own. */
function gate(answer) {
  const asked = [];
  let clock = 0;
  const run = createGate({
    region: "us-west-2",
    host: HOST,
    serverName: "",
    now: () => clock,
    sleep: async (ms) => {
      clock += ms;
    },
    send: async (request) => {
      asked.push(request.path);
      return answer(request.path, asked.length);
    },
  });
  return { run, asked, seconds: () => clock / 1000 };
}

const serving = (version) => (path) => (path === "/health" ? { status: 200, version, code: "" } : READS);

test("trap 65: three answers in a row by the new version open the gate, each with a read of the database", async () => {
  const { run, asked, seconds } = gate(serving("7"));
  assert.deepEqual(await run({ version: "7" }), { version: "7", passes: 3 });
  assert.deepEqual(asked, Array(3).fill(["/health", "/records?limit=1"]).flat());
  assert.equal(seconds(), 0);
});

test("trap 65: a version that isn't there yet is waited for, and passes before it count no more", async () => {
  const versions = ["6", "7", "6", "7", "7", "7"];
  const { run, seconds } = gate((path) => (path === "/health" ? serving(versions.shift())(path) : READS));
  assert.equal((await run({ version: "7" })).passes, 3);
  assert.equal(seconds(), 2);
});

test("trap 65: wrong answers close the gate within ten tries, in one line that says which", async () => {
  for (const [path, status, code, said] of [
    ["/health", 502, "", "GET /health answered 502"],
    ["/records?limit=1", 500, "internal", "GET /records?limit=1 answered 500 (internal)"],
  ]) {
    const { run, seconds } = gate((asked) => (asked === path ? { status, version: "", code } : serving("7")(asked)));
    await assert.rejects(run({ version: "7" }), {
      message: `standby gate: us-west-2 doesn't serve version 7: ${said}`,
    });
    assert.equal(seconds(), 9);
  }
});

test("trap 65: silence and another version close the gate after a minute", async () => {
  const refused = gate(() => {
    throw Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
  });
  await assert.rejects(refused.run({ version: "7" }), {
    message: `standby gate: us-west-2 doesn't serve version 7: nobody answers at ${HOST} (ECONNREFUSED)`,
  });
  assert.equal(refused.seconds(), 60);
  const misnamed = gate(() => {
    throw Object.assign(new Error("altnames"), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });
  await assert.rejects(misnamed.run({ version: "7" }), {
    message: /: the certificate of \S+ isn't taken for .*\(ERR_TLS_CERT_ALTNAME_INVALID\)$/,
  });
  const hung = gate(() => {
    throw Object.assign(new Error("took too long"), { name: "TimeoutError" });
  });
  await assert.rejects(hung.run({}), { message: /doesn't serve version : nobody answers at \S+ \(TimeoutError\)$/ });
  for (const [version, name] of [["6", "6"], ["", "unknown"]]) {
    const other = gate(serving(version));
    await assert.rejects(other.run({ version: "7" }), { message: new RegExp(`answered by version ${name}$`) });
  }
});

test("trap 65: GET /health names the version that answers, as the gate reads it from a load balancer", async () => {
  const { application } = fakeApplication({ variables: { AWS_LAMBDA_FUNCTION_VERSION: "7" } });
  const server = createServer(async (request, response) => {
    const { statusCode, headers, body } = await application.handle(albEvent(request.method, request.url), CONTEXT);
    response.writeHead(statusCode, headers).end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  const asked = { host: "127.0.0.1", port, serverName: "" };
  try {
    assert.deepEqual(await ask({ ...asked, path: "/health" }), { status: 200, version: "7", code: "" });
    assert.deepEqual(await ask({ ...asked, path: "/nothing" }), { status: 404, version: "", code: "not_found" });
    // Over TLS nobody answers there: plain HTTP is no handshake.
    await assert.rejects(ask({ ...asked, serverName: "app.test", path: "/health" }), { code: "EPROTO" });
  } finally {
    server.close();
  }
});

test("trap 65: a wrong answer of a load balancer that is new is asked again a second later", async () => {
  const statuses = [502];
  const send = async ({ path }) => ({ status: statuses.shift() ?? 200, version: path === "/health" ? "7" : "", code: "" });
  const began = performance.now();
  assert.equal((await createGate({ region: "us-west-2", host: HOST, serverName: "", send })({ version: "7" })).passes, 3);
  assert.ok(performance.now() - began >= 990);
});

test("an answer that is no JSON has no code", async () => {
  const bodies = ["<html>", "null", "{}"];
  const server = createServer((_request, response) => response.writeHead(502).end(bodies.shift()));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const asked = { host: "127.0.0.1", port: server.address().port, serverName: "", path: "/health" };
  try {
    for (let count = 0; count < 3; count += 1) {
      assert.deepEqual(await ask(asked), { status: 502, version: "", code: "" });
    }
  } finally {
    server.close();
  }
});

test("the gate's function asks the load balancer that its environment names", async () => {
  const asked = [];
  const send = async (request) => {
    asked.push(request);
    return serving("7")(request.path);
  };
  const variables = { AWS_REGION: "us-west-2", GATE_HOST: HOST, GATE_SERVER_NAME: "app.test" };
  const { application } = fakeApplication({ variables, gate: { send } });
  assert.equal((await application.gate({ version: "7" })).passes, 3);
  assert.deepEqual(asked[0], { host: HOST, serverName: "app.test", path: "/health" });
  const failing = { send: async () => ({ status: 500, version: "", code: "" }), sleep: async () => {} };
  await assert.rejects(fakeApplication({ variables, gate: failing }).application.gate(), { message: /^standby gate: us-west-2/ });
});
