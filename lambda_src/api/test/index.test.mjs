import assert from "node:assert/strict";
import test from "node:test";
import { CONTEXT, albEvent } from "./support.mjs";

test("R2.1: the bundle's entry exports the application's and the migration's handlers", async () => {
  Object.assign(process.env, { AWS_REGION: "us-west-2", LOG_LEVEL: "info" });
  const written = [];
  const write = process.stdout.write;
  const { handler, migrate, probe, emergency } = await import("../src/index.mjs");
  process.stdout.write = (line, ...rest) => (String(line).includes('"requestId":"request-1"') ? written.push(line) : write.call(process.stdout, line, ...rest));
  const response = await handler(albEvent("GET", "/nothing"), CONTEXT);
  process.stdout.write = write;
  assert.equal(response.statusCode, 404);
  assert.equal(JSON.parse(written[0]).region, "us-west-2");
  assert.equal(typeof migrate, "function");
  // Trap 67: Node.js 24 on Lambda calls no callback; a third parameter would wait for one.
  for (const exported of [handler, migrate, probe, emergency]) {
    assert.ok(exported.length <= 2);
  }
});
