/**
 * What a client may send to `POST /records` and `GET /records`, checked before anything is stored.
 *
 * Messages name the field and the rule and never repeat the value: it may be patient data.
 */
import { createHash } from "node:crypto";
import { HttpError } from "./errors.mjs";
import { changedByParsing } from "./json_text.mjs";

/** A load balancer passes at most 1 MB to a function (AWS, "Quotas for your ALBs"). */
const MAXIMUM_BODY_BYTES = 800 * 1024;
const MAXIMUM_DATA_BYTES = 64 * 1024;
const MAXIMUM_ATTACHMENT_BYTES = 512 * 1024;
const MAXIMUM_DEPTH = 32;
const MAXIMUM_PAGE = 200;
const DEFAULT_PAGE = 50;
const MAXIMUM_SEQUENCE = 2n ** 63n - 1n;

const FIELDS = new Set(["patientId", "type", "data", "attachment"]);
const ATTACHMENT_FIELDS = new Set(["contentType", "content"]);
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const LOST_DIGITS = "data holds a number beyond 2^53 or a double's precision: send it as a string, or digits would be lost.";

const refuse = (message) => new HttpError(400, "invalid_request", message);
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function checkFields(object, allowed, where) {
  if (Object.keys(object).some((field) => !allowed.has(field))) {
    throw refuse(`${where} may hold ${[...allowed].join(", ")} and nothing else.`);
  }
}

function matching(value, expression, rule) {
  if (typeof value !== "string" || !expression.test(value)) {
    throw refuse(rule);
  }
  return value;
}

/** Refuses what a `jsonb` column can't hold, or would hold as something else. */
function checkData(value, depth) {
  if (depth > MAXIMUM_DEPTH) {
    throw refuse(`data may be nested ${MAXIMUM_DEPTH} levels deep at most.`);
  }
  if (typeof value === "string" && (value.includes("\0") || !value.isWellFormed())) {
    throw refuse("data may not hold NUL characters or half surrogate pairs.");
  }
  if (typeof value === "number" && (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))) {
    throw refuse(LOST_DIGITS);
  }
  if (typeof value === "object" && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      checkData(key, depth);
      checkData(member, depth + 1);
    }
  }
}

function parseAttachment(value) {
  if (!isObject(value)) {
    throw refuse("attachment must be an object with contentType and content.");
  }
  checkFields(value, ATTACHMENT_FIELDS, "attachment");
  const contentType = matching(
    value.contentType,
    /^[a-z]+\/[a-z0-9.+-]{1,100}$/,
    "attachment.contentType must be a media type such as image/png.",
  );
  const content = matching(value.content, BASE64, "attachment.content must be base64.");
  const body = Buffer.from(content, "base64");
  if (body.toString("base64") !== content) {
    throw refuse("attachment.content must be base64 without bits beyond its last byte.");
  }
  if (body.length > MAXIMUM_ATTACHMENT_BYTES) {
    throw new HttpError(413, "too_large", `attachment.content may be ${MAXIMUM_ATTACHMENT_BYTES} bytes at most.`);
  }
  return { contentType, body, sha256: createHash("sha256").update(body).digest("hex") };
}

function parseJson(body) {
  let text;
  let value;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    value = JSON.parse(text);
  } catch {
    throw refuse("The body must be JSON in UTF-8.");
  }
  const changed = changedByParsing(text);
  if (changed !== undefined) {
    throw refuse(changed === "number" ? LOST_DIGITS : "An object holds the same name twice: only one of them would be kept.");
  }
  return value;
}

/**
 * @typedef {object} NewRecord
 * @property {string} idempotencyKey
 * @property {string} requestHash SHA-256 of the body: the same key with another body is a mistake
 * @property {string} patientId
 * @property {string} type
 * @property {object} data
 * @property {{contentType: string, body: Buffer, sha256: string} | undefined} attachment
 *
 * @param {import("./alb.mjs").Request} request
 * @returns {NewRecord}
 * @throws {HttpError} 400, 413 or 415
 */
export function parseNewRecord({ headers, body, isExact }) {
  const idempotencyKey = matching(
    headers["idempotency-key"],
    /^[\w.:-]{1,128}$/,
    "The header Idempotency-Key is required: 1 to 128 letters, digits or any of _ . : -",
  );
  if (!/^application\/json\s*(;|$)/i.test(headers["content-type"] ?? "")) {
    throw new HttpError(415, "unsupported_media_type", "Content-Type must be application/json.");
  }
  if (body.length > MAXIMUM_BODY_BYTES) {
    throw new HttpError(413, "too_large", `The body may be ${MAXIMUM_BODY_BYTES} bytes at most.`);
  }
  if (!isExact) {
    throw refuse("The body must be JSON in UTF-8. (U+FFFD itself is taken as the escape \\ufffd.)");
  }
  const input = parseJson(body);
  if (!isObject(input)) {
    throw refuse("The body must be a JSON object.");
  }
  checkFields(input, FIELDS, "The body");
  const patientId = matching(
    input.patientId,
    /^[\w.-]{1,64}$/,
    "patientId must be 1 to 64 letters, digits or any of _ . -",
  );
  const type = matching(input.type, /^[a-z][a-z0-9-]{0,63}$/, "type must be a lower-case word of at most 64 letters.");
  if (!isObject(input.data)) {
    throw refuse("data must be a JSON object.");
  }
  checkData(input.data, 0);
  if (Buffer.byteLength(JSON.stringify(input.data)) > MAXIMUM_DATA_BYTES) {
    throw new HttpError(413, "too_large", `data may be ${MAXIMUM_DATA_BYTES} bytes at most.`);
  }
  return {
    idempotencyKey,
    requestHash: createHash("sha256").update(body).digest("hex"),
    patientId,
    type,
    data: input.data,
    attachment: input.attachment === undefined ? undefined : parseAttachment(input.attachment),
  };
}

const CURSOR_RULE = "after must be EPOCH.SEQUENCE, as next or cursor gave it.";

/** A cursor of the feed; `0` as well as nothing is its beginning. */
function parseCursor(text) {
  if (text === undefined || text === "0") {
    return undefined;
  }
  const [epoch, sequence] = matching(text, /^[1-9]\d{0,14}\.(?:0|[1-9]\d{0,18})$/, CURSOR_RULE).split(".");
  if (BigInt(sequence) > MAXIMUM_SEQUENCE) {
    throw refuse(CURSOR_RULE);
  }
  return { epoch: Number(epoch), sequence };
}

/**
 * @param {Map<string, string>} query
 * @returns {{after: import("./feed.mjs").Cursor, limit: number}}
 * @throws {HttpError} 400
 */
export function parsePage(query) {
  const after = parseCursor(query.get("after"));
  const limit = Number(matching(query.get("limit") ?? String(DEFAULT_PAGE), /^\d{1,3}$/, "limit must be a number."));
  if (limit < 1 || limit > MAXIMUM_PAGE) {
    throw refuse(`limit must be from 1 to ${MAXIMUM_PAGE}.`);
  }
  return { after, limit };
}

/**
 * @param {Map<string, string>} query
 * @returns {string} an event's idempotency key
 * @throws {HttpError} 400
 */
export function parseReceiptKey(query) {
  return matching(query.get("key"), /^[\x21-\x7e]{1,256}$/, "key must be an event's idempotency key.");
}

/** @param {string} id @returns {boolean} */
export const isRecordId = (id) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id);
