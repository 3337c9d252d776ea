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
 * @property {boolean} away the client is told 503 and may come back
 */
import { HttpError } from "./errors.mjs";

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
  // admin_shutdown, crash_shutdown, cannot_connect_now, idle_in_transaction_session_timeout
  "57P01": LOST,
  "57P02": LOST,
  "57P03": LOST,
  "25P03": LOST,
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

const CONNECTION_WORDS = /connect|terminated|timeout|timed out|queryable|SSL|socket/i;

/**
 * @param {unknown} error
 * @returns {Verdict}
 */
export function judge(error) {
  if (error instanceof HttpError) {
    return FAULT;
  }
  const code = String(error?.code ?? "");
  if (/^[0-9A-Z]{5}$/.test(code) && error.severity !== undefined) {
    return BY_STATE[code] ?? (code.startsWith("08") ? LOST : FAULT);
  }
  const isNetwork = error?.syscall !== undefined || /^(E[A-Z]{3,}|ERR_TLS_|ERR_SSL_|CERT_|SELF_SIGNED|UNABLE_|DEPTH_)/.test(code);
  return isNetwork || CONNECTION_WORDS.test(error?.message) ? LOST : FAULT;
}
