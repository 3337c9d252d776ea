/**
 * The gate between the regions: asks the standby's load balancer until the version that was
 * deployed there has served several times in a row, as clients would be served. While this fails
 * the deployment goes no further, and the primary region keeps what it has.
 */
import { request as plain } from "node:http";
import { request as secure } from "node:https";
import { TLS_FAULT } from "./database_tls.mjs";
import { VERSION_HEADER } from "./health.mjs";

const HEALTH_PATH = "/health";
const READ_PATH = "/records?limit=1";

/** So often in a row, so that more than one instance is likely to have answered. */
const PASSES = 3;

/** So many wrong answers in a row are the code's fault, not a load balancer's that is new. */
const FAILURES = 10;

/** How long nobody, or the version before, may answer, in ms: AWS moves an alias within seconds. */
const PATIENCE = 60_000;

/** Between two tries, in ms. */
const PAUSE = 1_000;

/** Longest wait for one answer, in ms: longer than the application takes for any. */
const LONGEST_ANSWER = 12_000;

/** More of an answer isn't read. */
const LARGEST_BODY = 65_536;

/**
 * One request to the load balancer.
 *
 * @param {{host: string, serverName: string, path: string, port?: number}} asked port: 80, or 443 with a server name
 * @returns {Promise<{status: number, version: string, code: string}>} code: of an error, as the application answers it
 */
export function ask({ host, serverName, path, port }) {
  const options = { host, port, path, agent: false, signal: AbortSignal.timeout(LONGEST_ANSWER) };
  // A load balancer's own name is on no certificate; what it serves is.
  const tls = { ...options, servername: serverName, headers: { host: serverName } };
  return new Promise((resolve, reject) => {
    const sent = serverName ? secure(tls) : plain(options);
    sent.on("error", reject);
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("error", reject);
      response.on("data", (part) => {
        text = (text + part).slice(0, LARGEST_BODY);
      });
      response.on("end", () => {
        const version = response.headers[VERSION_HEADER] ?? "";
        resolve({ status: response.statusCode, version, code: codeOf(text) });
      });
    });
    sent.end();
  });
}

function codeOf(text) {
  try {
    return JSON.parse(text)?.error?.code ?? "";
  } catch {
    return "";
  }
}

const wrong = (path, { status, code }) => ({ failed: true, what: `GET ${path} answered ${status}${code && ` (${code})`}` });

/**
 * @param {{region: string, host: string, serverName: string, send?: typeof ask, now?: () => number,
 *   sleep?: (ms: number) => Promise<void>}} options region: whose load balancer it is
 * @returns {(event: {version?: string}) => Promise<{version: string, passes: number}>} throws one line that
 *   begins with "standby gate"
 */
export function createGate({ region, host, serverName, send = ask, now = Date.now, sleep = pause }) {
  /** What is wrong with the answers now; undefined when nothing is. */
  async function complaint(version) {
    try {
      const health = await send({ host, serverName, path: HEALTH_PATH });
      if (health.status !== 200) {
        return wrong(HEALTH_PATH, health);
      }
      if (health.version !== version) {
        return { failed: false, what: `GET ${HEALTH_PATH} is answered by version ${health.version || "unknown"}` };
      }
      const read = await send({ host, serverName, path: READ_PATH });
      return read.status === 200 ? undefined : wrong(READ_PATH, read);
    } catch (error) {
      const code = error.code ?? error.name;
      const what = TLS_FAULT.test(code) ? `the certificate of ${host} isn't taken for ${serverName}` : `nobody answers at ${host}`;
      return { failed: false, what: `${what} (${code})` };
    }
  }

  return async ({ version = "" }) => {
    const until = now() + PATIENCE;
    let failures = 0;
    let passes = 0;
    while (passes < PASSES) {
      const found = await complaint(version);
      if (found === undefined) {
        passes += 1;
        failures = 0;
        continue;
      }
      passes = 0;
      failures = found.failed ? failures + 1 : 0;
      if (failures >= FAILURES || now() >= until) {
        throw new Error(`standby gate: ${region} doesn't serve version ${version}: ${found.what}`);
      }
      await sleep(PAUSE);
    }
    return { version, passes };
  };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
