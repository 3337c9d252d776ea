/**
 * What a failed database call means for the connection, the attempt and the client.
 *
 * Codes are PostgreSQL's SQLSTATEs (appendix "PostgreSQL Error Codes"). Errors of the driver and
 * of the network have none: there the connection is of no more use.
 *
 * @typedef {object} Verdict
 * @property {boolean} drop the connection must not return to the pool
 * @property {boolean} retry a second attempt may succeed
 * @property {boolean} refresh the credentials were refused: read them again
 * @property {boolean} away the client gets 503 and may come back
 */
import { TLS_FAULT } from "./database_tls.mjs";
import { DemotedError, UncomparedError } from "./epochs.mjs";
import { HttpError, UnavailableError } from "./errors.mjs";

const verdict = (...facts) => ({
  drop: facts.includes("drop"),
  retry: facts.includes("retry"),
  refresh: facts.includes("refresh"),
  away: facts.includes("away"),
});

const LOST = verdict("drop", "retry", "away");
const AWAY = verdict("away");
const FAULT = verdict();

const BY_STATE = {
  // read_only_sql_transaction: the connection leads to a demoted writer; only a new one finds
  // the promoted one (docs/traps.md 8).
  25006: LOST,
  // invalid_password, invalid_authorization_specification: rotated since they were read
  "28P01": verdict("drop", "retry", "refresh", "away"),
  28000: verdict("drop", "retry", "refresh", "away"),
  // serialization_failure, deadlock_detected
  40001: verdict("retry", "away"),
  "40P01": verdict("retry", "away"),
  // query_canceled: the statement's time was over
  57014: AWAY,
  // too_many_connections: a retry at once makes it worse
  53300: AWAY,
  // undefined_table, invalid_catalog_name: the schema isn't migrated yet
  "42P01": AWAY,
  "3D000": AWAY,
};

/** Severities after which the server ends the connection (PostgreSQL, "Message Severity Levels"). */
const ENDING = new Set(["FATAL", "PANIC"]);

const NAMES = new Set(["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "EAI_NODATA"]);
const CONNECTION_WORDS = /connect|terminated|timeout|timed out|queryable|SSL|socket/i;

/** @returns {string | undefined} the SQLSTATE of a server's answer */
export function sqlState(error) {
  const code = String(error?.code ?? "");
  return /^[0-9A-Z]{5}$/.test(code) && error.severity !== undefined ? code : undefined;
}

const isNetwork = (error, code) => error?.syscall !== undefined || /^E[A-Z]{3,}$/.test(code) || TLS_FAULT.test(code);

/**
 * @param {unknown} error
 * @returns {Verdict}
 */
export function judge(error) {
  if (error instanceof HttpError) {
    return FAULT;
  }
  if (error instanceof DemotedError) {
    return LOST;
  }
  if (error instanceof UncomparedError) {
    return AWAY;
  }
  const state = sqlState(error);
  if (state !== undefined) {
    const known = BY_STATE[state];
    if (ENDING.has(error.severity)) {
      return known === undefined ? LOST : { ...known, drop: true };
    }
    return known ?? (state.startsWith("08") ? LOST : FAULT);
  }
  const code = String(error?.code ?? "");
  return isNetwork(error, code) || CONNECTION_WORDS.test(error?.message) ? LOST : FAULT;
}

const REASONS = {
  25006: "read_only",
  28000: "credentials_refused",
  "28P01": "credentials_refused",
  42501: "credentials_refused",
  53300: "connections_exhausted",
  // invalid_catalog_name, invalid_schema_name, undefined_table, undefined_column, undefined_function
  "3D000": "schema_missing",
  "3F000": "schema_missing",
  "42P01": "schema_missing",
  42703: "schema_missing",
  42883: "schema_missing",
  // The server is ending or starting: no answer (shared with the recovery controller's rules).
  "57P01": "unreachable",
  "57P02": "unreachable",
  "57P03": "unreachable",
};

/**
 * Why a database didn't do what it was asked, for the readiness check and the probe.
 *
 * `unreachable` alone means that no server answered: refused, reset, hanging, shutting down or
 * starting. Everything else is an answer, or a fault on the way that another region's database
 * would show as well.
 *
 * @param {unknown} error as the driver or `database.run` throws it
 * @returns {"unreachable" | "read_only" | "demoted" | "epoch_unknown" | "credentials_refused" | "credentials_unreadable" |
 *   "connections_exhausted" | "schema_missing" | "tls_refused" | "name_unresolved" | "failed"}
 */
export function reasonOf(error) {
  if (error instanceof UnavailableError && error.cause !== undefined) {
    return error.code === "credentials_unavailable" ? "credentials_unreadable" : reasonOf(error.cause);
  }
  if (error instanceof DemotedError) {
    return "demoted";
  }
  if (error instanceof UncomparedError) {
    return "epoch_unknown";
  }
  const state = sqlState(error);
  if (state !== undefined) {
    return REASONS[state] ?? "failed";
  }
  const code = String(error?.code ?? "");
  if (TLS_FAULT.test(code) || /\bSSL\b/.test(error?.message)) {
    return "tls_refused";
  }
  if (NAMES.has(code)) {
    return "name_unresolved";
  }
  return isNetwork(error, code) || CONNECTION_WORDS.test(error?.message) ? "unreachable" : "failed";
}
