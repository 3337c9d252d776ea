/**
 * Requests and responses as an Application Load Balancer exchanges them with a Lambda target
 * (AWS, "Using Lambda functions as targets of an Application Load Balancer").
 *
 * With `lambda_multi_value_headers.enabled` the event has multiValueHeaders and
 * multiValueQueryStringParameters instead of the single ones, and the response must answer in
 * kind. The balancer doesn't decode query parameters; the function does.
 */
import { HttpError } from "./errors.mjs";

/** The statuses that this application answers with. From node:http they would bring TLS into every cold start. */
export const REASONS = {
  200: "OK",
  201: "Created",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Payload Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Entity",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
};

/**
 * @typedef {object} Request
 * @property {string} method upper case
 * @property {string} path
 * @property {Record<string, string>} headers lower-case names, the last value of each
 * @property {Map<string, string>} query decoded, the last value of each
 * @property {Buffer} body empty when there is none
 * @property {boolean} isExact false when the body came as text with U+FFFD in it: bytes that aren't
 *   UTF-8 may have stood there, which such text can't hold
 * @property {boolean} multiValue whether the answer must have multiValueHeaders
 */

/**
 * @param {any} event
 * @returns {boolean} whether a load balancer sent it
 */
export function isAlbEvent(event) {
  return Boolean(event?.requestContext?.elb);
}

/** @returns {boolean} whether the answer must have multiValueHeaders */
export function isMultiValue(event) {
  return Boolean(event.multiValueHeaders) && !event.headers;
}

const last = (value) => (Array.isArray(value) ? value.at(-1) : value);

function decode(text) {
  try {
    return decodeURIComponent(String(text).replaceAll("+", " "));
  } catch {
    throw new HttpError(400, "bad_query", "A query parameter is not valid percent-encoding.");
  }
}

const entries = (...maps) => maps.flatMap((map) => (map && typeof map === "object" ? Object.entries(map) : []));

/**
 * @param {any} event an ALB target-group event, single-valued or multi-valued
 * @returns {Request}
 * @throws {HttpError} 400 when a query parameter is not percent-encoded text
 */
export function parseRequest(event) {
  const headers = {};
  for (const [name, value] of entries(event.headers, event.multiValueHeaders)) {
    headers[name.toLowerCase()] = String(last(value));
  }
  const query = new Map();
  for (const [name, value] of entries(event.queryStringParameters, event.multiValueQueryStringParameters)) {
    query.set(decode(name), decode(last(value)));
  }
  const body = String(event.body ?? "");
  const isBase64 = Boolean(event.isBase64Encoded);
  return {
    method: String(event.httpMethod).toUpperCase(),
    path: String(event.path),
    headers,
    query,
    body: Buffer.from(body, isBase64 ? "base64" : "utf8"),
    // Half a surrogate pair would become U+FFFD here.
    isExact: isBase64 || (body.isWellFormed() && !body.includes("\ufffd")),
    multiValue: isMultiValue(event),
  };
}

/**
 * @param {{status: number, headers?: Record<string, string>, body?: object}} answer
 * @param {{multiValue: boolean, head?: boolean}} request head: headers alone are sent
 * @returns {object} what the load balancer takes
 */
export function formatResponse({ status, headers = {}, body }, { multiValue, head = false }) {
  const all = {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
  };
  const response = {
    statusCode: status,
    statusDescription: `${status} ${REASONS[status]}`,
    isBase64Encoded: false,
    body: head || body === undefined ? "" : JSON.stringify(body),
  };
  if (multiValue) {
    response.multiValueHeaders = Object.fromEntries(Object.entries(all).map(([name, value]) => [name, [value]]));
  } else {
    response.headers = all;
  }
  return response;
}
