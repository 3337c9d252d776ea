// Runs the tests' files three at a time, whatever Node.js would choose: on two cores it takes one,
// and the tests mostly wait. (`--test-concurrency` says the same, from Node.js 20.10 on.)

import { readdirSync } from "node:fs";
import { run } from "node:test";
import { tap } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const files = readdirSync(folder)
  .filter((name) => name.endsWith(".test.mjs"))
  .map((name) => `${folder}${name}`);

const tests = run({ files, concurrency: 3 });
tests.on("test:fail", () => {
  process.exitCode = 1;
});
tests.compose(tap).pipe(process.stdout);
