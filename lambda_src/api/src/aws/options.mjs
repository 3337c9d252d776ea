/**
 * What all AWS clients share: short attempts, one retry and an end to both, because a caller waits
 * behind a load balancer and a service of a failed region rather hangs than refuses. Region and
 * endpoint come from the Lambda environment.
 */

/** A connection that isn't there by then is tried anew, in milliseconds. */
const CONNECT_MILLISECONDS = 500;

/**
 * @param {number} attempt milliseconds from the request to the head of its answer, for each of two tries
 * @returns {object} what every client of the SDK takes
 */
export const clientOptions = (attempt) => ({
  maxAttempts: 2,
  requestHandler: {
    connectionTimeout: CONNECT_MILLISECONDS,
    requestTimeout: attempt,
    // Without it the SDK only warns, and a hung call eats the whole request (docs/traps.md 62).
    throwOnRequestTimeout: true,
  },
});

/**
 * Ends a call with both of its tries, also one whose answer began and never ends, which the SDK's
 * own timeouts and signal don't reach.
 *
 * @template T
 * @param {number} milliseconds
 * @param {(options: {abortSignal: AbortSignal}) => Promise<T>} call
 * @returns {Promise<T>}
 * @throws {Error} `TimeoutError` when the time is over
 */
export async function within(milliseconds, call) {
  const controller = new AbortController();
  let timer;
  const over = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(Object.assign(new Error(`no answer within ${milliseconds} ms`), { name: "TimeoutError" }));
      controller.abort();
    }, milliseconds);
  });
  try {
    return await Promise.race([call({ abortSignal: controller.signal }), over]);
  } finally {
    clearTimeout(timer);
  }
}
