/**
 * `GET /failover-switch`: 200 when traffic has been moved to the standby on purpose, else 404.
 *
 * The primary's DNS health is the load balancer's check and the inverse of this one, so that
 * traffic doesn't fall back by itself in the middle of a recovery. Only the standby region has a
 * switch; the primary always answers 404.
 */
const CACHE_MILLISECONDS = 5_000;

/**
 * @param {object} options
 * @param {string} options.region
 * @param {string | undefined} options.parameter name of the parameter, undefined in the primary
 * @param {(name: string) => Promise<string>} options.readParameter
 * @param {import("./log.mjs").Logger} options.logger
 * @param {() => number} options.now milliseconds
 * @returns {() => Promise<{status: number, body: object}>}
 */
export function createFailoverSwitch({ region, parameter, readParameter, logger, now }) {
  let value;
  let readAt = -Infinity;
  return async () => {
    const asked = now();
    if (parameter !== undefined && asked - readAt >= CACHE_MILLISECONDS) {
      try {
        value = await readParameter(parameter);
        // From when it was asked: the answer may have been on its way for a second.
        readAt = asked;
      } catch (error) {
        // The last known value stands: a fault of the parameter store must not move traffic.
        logger.warn("failover switch unreadable", { error: error.name, lastKnown: value ?? "none" });
      }
    }
    const engaged = value === "engaged";
    return { status: engaged ? 200 : 404, body: { failoverSwitch: engaged ? "engaged" : "released", region } };
  };
}
