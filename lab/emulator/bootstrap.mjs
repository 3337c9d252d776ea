// Runs one Node.js function as AWS Lambda's runtime does: the handler module is loaded once, then
// one event at a time comes as a line on standard input and its outcome leaves as a marked line on
// standard output; everything else on standard output and error is the function's log.
import { existsSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { format } from "node:util";

const mark = process.env._LAB_MARK;
delete process.env._LAB_MARK;
const jsonLogs = process.env._LAB_LOG_FORMAT === "JSON";
delete process.env._LAB_LOG_FORMAT;
const emit = process.stdout.write.bind(process.stdout);
const report = (message) => emit(`${mark}${JSON.stringify(message)}\n`);

let requestId = "";
for (const [method, level] of [
  ["log", "INFO"], ["info", "INFO"], ["debug", "DEBUG"], ["warn", "WARN"], ["error", "ERROR"],
  ["trace", "TRACE"],
]) {
  console[method] = (...values) => {
    const timestamp = new Date().toISOString();
    if (jsonLogs) {
      const message = values.length === 1 && typeof values[0] === "object" && values[0] !== null
        && !(values[0] instanceof Error) ? values[0] : format(...values);
      emit(`${JSON.stringify({ timestamp, level, requestId, message })}\n`);
    } else {
      const text = format(...values).replaceAll("\n", "\r");
      emit(`${timestamp}\t${requestId}\t${level}\t${text}\n`);
    }
  };
}

function described(error) {
  if (!(error instanceof Error)) {
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  }
  const trace = (error.stack ?? "").split("\n").map((line) => line.trim());
  return { errorType: error.name, errorMessage: error.message, trace };
}

async function load() {
  const [file, ...exported] = path.basename(process.env._HANDLER).split(".");
  const base = path.resolve(process.env.LAMBDA_TASK_ROOT, path.dirname(process.env._HANDLER), file);
  const found = [".js", ".mjs", ".cjs"].map((suffix) => base + suffix).find(existsSync);
  if (!found) {
    const error = new Error(`Cannot find module '${file}'`);
    error.name = "Runtime.ImportModuleError";
    throw error;
  }
  const module = await import(pathToFileURL(found).href);
  const reach = (from) => exported.reduce((value, name) => value?.[name], from);
  const handler = reach(module) ?? reach(module.default);
  if (typeof handler !== "function") {
    const error = new Error(`${process.env._HANDLER} is undefined or not exported`);
    error.name = "Runtime.HandlerNotFound";
    throw error;
  }
  return handler;
}

function invoke(handler, event, context) {
  return new Promise((resolve, reject) => {
    const callback = (error, result) => (error ? reject(error) : resolve(result));
    const outcome = handler(event, context, callback);
    if (typeof outcome?.then === "function") outcome.then(resolve, reject);
    else if (handler.length < 3) resolve(outcome);
  });
}

process.on("uncaughtException", (error) => {
  report({ status: "error", fatal: true, ...described(error) });
  process.exit(1);
});

let handler;
try {
  handler = await load();
  report({ status: "ready" });
} catch (error) {
  console.error("Uncaught Exception", JSON.stringify(described(error)));
  report({ status: "error", fatal: true, ...described(error) });
  process.exit(1);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { event, context, deadline } = JSON.parse(line);
  requestId = context.awsRequestId;
  try {
    const result = await invoke(handler, event, {
      ...context,
      callbackWaitsForEmptyEventLoop: true,
      getRemainingTimeInMillis: () => Math.max(0, Math.floor(deadline - Date.now())),
    });
    report({ status: "ok", result: result === undefined ? null : result });
  } catch (error) {
    const known = described(error);
    console.error("Invoke Error", JSON.stringify({ ...known, stack: known.trace }));
    report({ status: "error", ...known });
  }
}
process.exit(0);
