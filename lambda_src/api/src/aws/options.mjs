/**
 * What all AWS clients share: short timeouts and one retry, because a caller waits behind a load
 * balancer and a service of a failed region rather hangs than refuses. Region and endpoint come
 * from the Lambda environment.
 */
export const CLIENT_OPTIONS = Object.freeze({
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 2_000 },
});

/**
 * @param {number} milliseconds
 * @returns {{abortSignal: AbortSignal}} an end to a call and all of its retries
 */
export const within = (milliseconds) => ({ abortSignal: AbortSignal.timeout(milliseconds) });
