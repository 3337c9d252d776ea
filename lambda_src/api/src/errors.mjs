/** An answer that is not a success, as the client gets it: status, code, message, headers. */
export class HttpError extends Error {
  /**
   * @param {number} status
   * @param {string} code snake_case, stable: what clients may branch on
   * @param {string} message one sentence for a person, without anything the client sent as data
   * @param {Record<string, string>} [headers]
   * @param {object} [more] what the body holds beside `error`
   */
  constructor(status, code, message, headers = {}, more = {}) {
    super(message);
    this.name = "HttpError";
    this.status = status;
    this.code = code;
    this.headers = headers;
    this.more = more;
  }
}

/** Seconds after which a client may try again while the writer or a service is away. */
export const RETRY_AFTER_SECONDS = 5;

/** Something this application needs doesn't answer: the client gets 503 with Retry-After. */
export class UnavailableError extends HttpError {
  /**
   * @param {string} code what is away: `writer_unavailable`, `reader_unavailable`, …
   * @param {string} message
   * @param {unknown} [cause] kept for the log
   * @param {Record<string, string>} [headers] beside Retry-After
   */
  constructor(code, message, cause, headers = {}) {
    super(503, code, message, { "retry-after": String(RETRY_AFTER_SECONDS), ...headers });
    this.name = "UnavailableError";
    this.cause = cause;
  }
}

/**
 * @param {unknown} [cause]
 * @returns {UnavailableError} the writer that answers is one that was demoted (docs/hazards.md H26)
 */
export const demoted = (cause) =>
  new UnavailableError("writer_demoted", "The writer that answers has been replaced by another.", cause);

/**
 * @param {unknown} [cause]
 * @returns {UnavailableError} whether the writer that answers is the newest isn't known yet (H26)
 */
export const uncompared = (cause) =>
  new UnavailableError("epoch_unknown", "Whether the writer that answers is the newest isn't known yet.", cause);
