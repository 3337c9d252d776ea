import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { createServer as createSocketServer } from "node:net";
import test, { after, before } from "node:test";
import { promisify } from "node:util";
import { aws } from "../src/aws/index.mjs";

/** What the services got, and what they answer next: the real clients against a local server. */
const requests = [];
let answer = {};
let answerHeaders = {};
const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  const { method, url, headers } = request;
  requests.push({ method, url, target: headers["x-amz-target"], type: headers["content-type"], region: headers.authorization?.split("/")[2], body: Buffer.concat(chunks).toString() });
  response.writeHead(200, { "content-type": "application/x-amz-json-1.1", ...answerHeaders }).end(JSON.stringify(answer));
});

before(async () => {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  Object.assign(process.env, {
    AWS_REGION: "us-west-2",
    AWS_ENDPOINT_URL: `http://127.0.0.1:${server.address().port}`,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  });
});
after(() => {
  server.closeAllConnections();
  server.close();
});

test("a secret's user name and password are read in the function's region", async () => {
  answer = { SecretString: '{"username":"api","password":"p","engine":"postgres"}' };
  assert.deepEqual(await aws.readSecret("arn:secret"), { username: "api", password: "p" });
  const { target, region, body } = requests.at(-1);
  assert.deepEqual([target, region], ["secretsmanager.GetSecretValue", "us-west-2"]);
  assert.deepEqual(JSON.parse(body), { SecretId: "arn:secret", VersionStage: "AWSCURRENT" });
  await aws.readSecret("arn:secret", "AWSPENDING");
  assert.equal(JSON.parse(requests.at(-1).body).VersionStage, "AWSPENDING");
});

test("a parameter is read by name", async () => {
  answer = { Parameter: { Value: "engaged" } };
  assert.equal(await aws.readParameter("/switch"), "engaged");
  assert.equal(JSON.parse(requests.at(-1).body).Name, "/switch");
  assert.equal(requests.at(-1).region, "us-west-2");
});

test("H26: the other region's parameter is read there", async () => {
  answer = { Parameter: { Value: "3" } };
  assert.equal(await aws.readParameter("/epoch", "us-east-1"), "3");
  assert.equal(requests.at(-1).region, "us-east-1");
});

test("a secret that is a plain word is read as it is", async () => {
  answer = { SecretString: "word" };
  assert.equal(await aws.readSecretText("arn:token"), "word");
});

test("PutEvents' answer is reported entry by entry", async () => {
  answer = { FailedEntryCount: 1, Entries: [{ EventId: "1" }, { ErrorCode: "ThrottlingException", ErrorMessage: "x" }] };
  assert.deepEqual(await aws.putEvents([{ Detail: "{}" }, { Detail: "{}" }]), [undefined, "ThrottlingException"]);
  assert.equal(JSON.parse(requests.at(-1).body).Entries.length, 2);
});

test("a bus is asked for by name", async () => {
  answer = { Name: "bus" };
  await aws.describeEventBus("bus");
  assert.equal(requests.at(-1).target, "AWSEvents.DescribeEventBus");
});

test("an object is put with its content type", async () => {
  await aws.putObject({ bucket: "bucket", key: "attachments/1", body: Buffer.from("content"), contentType: "text/plain" });
  const { method, url, type, body } = requests.at(-1);
  assert.deepEqual([method, url.split("?")[0], type, body], ["PUT", "/bucket/attachments/1", "text/plain", "content"]);
});

test("an object's replication status is S3's own word", async () => {
  answerHeaders = { "x-amz-replication-status": "COMPLETED" };
  assert.equal(await aws.replicationStatus({ bucket: "bucket", key: "attachments/1" }), "COMPLETED");
  answerHeaders = {};
  assert.equal(await aws.replicationStatus({ bucket: "bucket", key: "attachments/1" }), undefined);
  assert.deepEqual([requests.at(-1).method, requests.at(-1).url], ["HEAD", "/bucket/attachments/1"]);
});

const CALLS = {
  "the bus": ['putEvents([{ Detail: "{}" }])', 2_300, "PutEvents"],
  "the bus's description": ['describeEventBus("bus")', 2_300, "DescribeEventBus"],
  "the bucket": ['putObject({ bucket: "b", key: "k", body: Buffer.from("x"), contentType: "a/b" })', 4_000, "PUT /b/k"],
  "an object's status": ['replicationStatus({ bucket: "b", key: "k" })', 1_400, "HEAD /b/k"],
  "the parameter store": ['readParameter("/switch")', 1_400, "GetParameter"],
  "the secrets": ['readSecret("arn")', 2_500, "GetSecretValue"],
};

/**
 * All calls at once to an endpoint that takes connections and answers `answered` or nothing, by a
 * process of its own, whose clients are made for that endpoint.
 */
async function callHung(answered) {
  const heads = [];
  const sockets = [];
  const hung = createSocketServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.once("data", (data) => {
      heads.push(String(data));
      if (answered) {
        socket.write(answered);
      }
    });
  });
  await new Promise((resolve) => hung.listen(0, "127.0.0.1", resolve));
  const at = (name) => JSON.stringify(new URL(`../src/aws/${name}.mjs`, import.meta.url).href);
  const script = `
    const { aws } = await import(${at("index")});
    await Promise.all([import(${at("events")}), import(${at("objects")}), import(${at("parameters")}), import(${at("secrets")})]);
    const faults = {};
    const started = performance.now();
    await Promise.all(Object.entries({${Object.entries(CALLS).map(([what, [call]]) => `${JSON.stringify(what)}: () => aws.${call}`)}}).map(
      async ([what, call]) => {
        const name = await call().then(() => "answered", (error) => error.name);
        faults[what] = { name, elapsed: performance.now() - started };
      }));
    console.log(JSON.stringify(faults));
    process.exit(0);`;
  const env = { ...process.env, AWS_ENDPOINT_URL: `http://127.0.0.1:${hung.address().port}` };
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { env });
  sockets.forEach((socket) => socket.destroy());
  hung.close();
  return { faults: JSON.parse(stdout), heads };
}

test("trap 62: a service that accepts and never answers is asked twice and given up in its time", async () => {
  const { faults, heads } = await callHung();
  for (const [what, [, milliseconds, mark]] of Object.entries(CALLS)) {
    const { name, elapsed } = faults[what];
    assert.equal(name, "TimeoutError", what);
    // The process's first use of the SDK takes its share on a busy machine.
    assert.ok(elapsed < milliseconds + 1_000, `${what}: ${elapsed} ms`);
    assert.equal(heads.filter((head) => head.includes(mark)).length, 2, what);
  }
});

test("trap 62: an answer that begins and never ends is given up as well", async () => {
  const { faults } = await callHung("HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: 100\r\n\r\n{");
  // What has no body, a HEAD's answer or one that isn't read, has come whole.
  for (const what of ["the bus", "the parameter store", "the secrets"]) {
    const { name, elapsed } = faults[what];
    assert.match(name, /TimeoutError|AbortError/, what);
    assert.ok(elapsed < CALLS[what][1] + 1_000, `${what}: ${elapsed} ms`);
  }
});
