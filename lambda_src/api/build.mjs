/**
 * Bundles src/index.mjs for AWS Lambda: `node build.mjs [output directory]`.
 *
 * One entry and lazily loaded chunks, so that a cold start that answers a health check reads
 * neither the AWS SDK nor the database driver. The same sources give the same bytes: names come
 * from content, nothing from time or place.
 */
import { rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(fileURLToPath(import.meta.url));
const outdir = resolve(process.argv[2] ?? `${root}/dist`);

await rm(outdir, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: { index: "src/index.mjs" },
  outdir,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  // The lowest Node that the laptop's lab may run it with; Lambda's own is newer.
  target: "node20",
  mainFields: ["module", "main"],
  outExtension: { ".js": ".mjs" },
  entryNames: "[name]",
  chunkNames: "chunk-[hash]",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
  // An optional native binding of the database driver, never installed here.
  external: ["pg-native"],
  // CommonJS packages inside an ES module bundle still call require for Node's own modules.
  banner: {
    js: 'import{createRequire as nodeRequire}from"node:module";const require=nodeRequire(import.meta.url);',
  },
});
