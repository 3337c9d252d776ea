import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const directory = mkdtempSync(join(tmpdir(), "bundle-"));
after(() => rmSync(directory, { recursive: true }));

const environment = { ...process.env, NODE_V8_COVERAGE: "" };
const node = (...parameters) =>
  execFileSync(process.execPath, parameters, { cwd: root, env: environment, encoding: "utf8" });

function build(name) {
  const output = join(directory, name);
  node("build.mjs", output);
  return new Map(readdirSync(output).map((file) => [file, readFileSync(join(output, file), "utf8")]));
}

const first = build("first");

test("R2.1: the same sources give the same files, byte for byte, free of the machine's paths", () => {
  assert.deepEqual(build("second"), first);
  for (const [name, content] of first) {
    assert.match(name, /^(index|chunk-[A-Z0-9]{8})\.mjs$/);
    assert.ok(!content.includes(root) && !content.includes(directory));
  }
});

test("the bundle is below 1 MB compressed", () => {
  const bytes = [...first.values()].reduce((sum, content) => sum + gzipSync(content).length, 0);
  assert.ok(bytes < 1024 * 1024, `${bytes} bytes`);
});

test("a cold start that answers /health loads neither the SDK nor the database driver", () => {
  const script = `
    const started = performance.now();
    const { handler } = await import(${JSON.stringify(join(directory, "first", "index.mjs"))});
    const event = { requestContext: { elb: {} }, httpMethod: "GET", path: "/health", headers: {} };
    const { statusCode } = await handler(event, {});
    const elapsed = performance.now() - started;
    const modules = ["tls", "https", "dns"].filter((name) => process.moduleLoadList.includes("NativeModule " + name));
    console.log(JSON.stringify({ statusCode, elapsed, modules }));`;
  const printed = JSON.parse(node("--input-type=module", "-e", script));
  assert.equal(printed.statusCode, 200);
  assert.deepEqual(printed.modules, []);
});

test("the bundle's migration reaches the AWS SDK and fails by its name, not by a module's", () => {
  const script = `
    const { migrate } = await import(${JSON.stringify(join(directory, "first", "index.mjs"))});
    console.log(await migrate().catch((error) => error.name + " " + error.code));`;
  const variables = { AWS_ENDPOINT_URL: "http://127.0.0.1:1", AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "x" };
  const printed = execFileSync(process.execPath, ["--input-type=module", "-e", script], { env: { ...environment, ...variables, MASTER_SECRET_ARN: "a", APPLICATION_SECRET_ARN: "b" }, encoding: "utf8" });
  assert.match(printed, /ECONNREFUSED/);
});
