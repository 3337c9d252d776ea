/**
 * One load balancer request from event to response: always a valid response, never a stack trace,
 * one log line with the route's pattern (a path may hold whatever a client put there).
 */
import { formatResponse, isMultiValue, parseRequest } from "./alb.mjs";
import { HttpError } from "./errors.mjs";
import { describeError } from "./log.mjs";
import { handlerFor, match } from "./router.mjs";

/** Probes come every few seconds from every checker: their lines are for debugging only. */
const PROBES = new Set(["/health", "/failover-switch"]);

/** Whom an authenticating load balancer found (AWS, "Authenticate users using an Application Load Balancer"). */
const ACTOR = "x-amzn-oidc-identity";

/** Who got which records: what an auditor asks for. Ids of ours alone, nothing of the patient's. */
function audit(answer, headers) {
  if (answer.records === undefined) {
    return {};
  }
  const client = headers["x-forwarded-for"]?.split(",").at(-1)?.trim() ?? "unknown";
  return { records: answer.records, actor: headers[ACTOR] ?? "unauthenticated", client };
}

function failure(error, requestId) {
  const known =
    error instanceof HttpError
      ? error
      : new HttpError(500, "internal", "The request failed; its requestId is in the log.");
  const body = { error: { code: known.code, message: known.message, requestId }, ...known.more };
  return { status: known.status, headers: known.headers, body };
}

/**
 * @param {{routes: import("./router.mjs").Route[], logger: import("./log.mjs").Logger}} options
 * @returns {(event: any, context: any, deadline: number) => Promise<object>} deadline: milliseconds since the epoch
 */
export function createHttpHandler({ routes, logger }) {
  return async (event, context, deadline) => {
    const started = performance.now();
    const requestId = context?.awsRequestId;
    let pattern = "unmatched";
    let method = "unknown";
    let answer;
    let fault;
    let headers = {};
    try {
      const request = parseRequest(event);
      headers = request.headers;
      const found = match(routes, request.path);
      if (!found) {
        throw new HttpError(404, "not_found", "There is nothing at this path.");
      }
      pattern = found.route.pattern;
      const handle = handlerFor(found.route, request.method);
      method = request.method;
      answer = await handle({ ...request, parameters: found.parameters, deadline });
    } catch (error) {
      fault = error;
      answer = failure(error, requestId);
    }
    const durationMs = Math.round((performance.now() - started) * 1000) / 1000;
    const line = { requestId, method, path: pattern, status: answer.status, durationMs, ...audit(answer, headers) };
    if (answer.status >= 500) {
      logger.error("request failed", { ...line, ...(fault !== undefined && describeError(fault)) });
    } else if (PROBES.has(pattern)) {
      logger.debug("request", line);
    } else {
      logger.info("request", line);
    }
    return formatResponse(answer, { multiValue: isMultiValue(event), head: event.httpMethod === "HEAD" });
  };
}
