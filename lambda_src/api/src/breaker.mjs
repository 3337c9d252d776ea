/**
 * Keeps requests from waiting one by one for a server that is known to be dead: while one of them
 * tries it, the others are refused at once, so that a dead writer doesn't hold the account's
 * functions (docs/hazards.md H27).
 */

/** How long nobody tries after a failure, in milliseconds. */
export const PAUSE_MILLISECONDS = 2_000;

/**
 * @param {() => number} now milliseconds
 */
export function createBreaker(now) {
  /** What failed last and when; undefined while everything is healthy. */
  let failure;
  let isTried = false;

  const isOpen = () => failure !== undefined && (isTried || now() - failure.at < PAUSE_MILLISECONDS);
  return {
    /** @returns {Error | undefined} why to refuse now, undefined when a request may proceed */
    refusal: () => (isOpen() ? failure.error : undefined),

    /** @returns {boolean} whether this request is the one that tries; call it only without a refusal */
    enter: () => {
      isTried = failure !== undefined;
      return isTried;
    },

    succeeded: () => {
      failure = undefined;
      isTried = false;
    },

    /** @param {Error} error */
    failed: (error) => {
      failure = { error, at: now() };
      isTried = false;
    },
  };
}
