import assert from "node:assert/strict";
import { createServer } from "node:http";
import test, { after, before } from "node:test";
import { aws } from "../src/aws/index.mjs";

/** What the services got, and what they answer next: the real clients against a local server. */
const requests = [];
let answer = {};
const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  const { method, url, headers } = request;
  requests.push({ method, url, target: headers["x-amz-target"], type: headers["content-type"], region: headers.authorization?.split("/")[2], body: Buffer.concat(chunks).toString() });
  response.writeHead(200, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(answer));
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
  assert.deepEqual([target, region, JSON.parse(body).SecretId], ["secretsmanager.GetSecretValue", "us-west-2", "arn:secret"]);
});

test("a parameter is read by name", async () => {
  answer = { Parameter: { Value: "engaged" } };
  assert.equal(await aws.readParameter("/switch"), "engaged");
  assert.equal(JSON.parse(requests.at(-1).body).Name, "/switch");
});

test("PutEvents' answer is told entry by entry", async () => {
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
