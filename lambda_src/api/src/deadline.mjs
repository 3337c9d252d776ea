/** The time of a request is over: what it waited for may still continue. */
export class DeadlineError extends Error {
  constructor() {
    super("timeout: the time for this request is over");
    this.name = "DeadlineError";
    /** Whether it was the connection that didn't come, and for how long, in milliseconds. */
    this.connecting = 0;
  }
}

/**
 * @template T
 * @param {number} deadline milliseconds since the epoch
 * @param {Promise<T>} promise continues whatever comes first
 * @returns {Promise<T>}
 * @throws {DeadlineError}
 */
export async function before(deadline, promise) {
  let timer;
  const over = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError()), deadline - Date.now());
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}
