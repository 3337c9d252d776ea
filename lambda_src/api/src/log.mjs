/**
 * Structured log lines: one JSON object a line on standard output, which CloudWatch Logs indexes.
 *
 * Never patient data: callers pass route patterns instead of paths, codes instead of a database's
 * messages (which quote values), and no request bodies at all.
 */
const LEVELS = ["debug", "info", "warn", "error"];

/**
 * @typedef {object} Logger
 * @property {(message: string, fields?: object) => void} debug
 * @property {(message: string, fields?: object) => void} info
 * @property {(message: string, fields?: object) => void} warn
 * @property {(message: string, fields?: object) => void} error
 */

/**
 * @param {{level: string, fields: object, write: (line: string) => void}} options lowest level
 *   written (an unknown one counts as info), fields of every line, and where lines go
 * @returns {Logger}
 */
export function createLogger({ level, fields, write }) {
  const lowest = LEVELS.includes(level) ? LEVELS.indexOf(level) : LEVELS.indexOf("info");
  const at = (name, rank) => (message, more) => {
    if (rank >= lowest) {
      const timestamp = new Date().toISOString();
      write(`${JSON.stringify({ timestamp, level: name, message, ...fields, ...more })}\n`);
    }
  };
  return /** @type {Logger} */ (Object.fromEntries(LEVELS.map((name, rank) => [name, at(name, rank)])));
}

/** The driver's own messages on lost connections: no code distinguishes them, and they quote nothing. */
const DRIVER_MESSAGE = /^(Connection terminated|timeout|Query read timeout|Client )/;

/**
 * What may be logged of an error: its class, code and where it arose, never its message (a
 * database's message quotes the values it refused).
 *
 * @param {unknown} error
 * @returns {{error: string, code?: string, reason?: string, at?: string}}
 */
export function describeError(error) {
  if (!(error instanceof Error)) {
    return { error: typeof error };
  }
  const frame = /^\s+at (.+)$/m.exec(error.stack ?? "");
  return {
    error: error.name,
    code: error.code,
    ...(DRIVER_MESSAGE.test(error.message) && { reason: error.message }),
    ...(frame && { at: frame[1] }),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
