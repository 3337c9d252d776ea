/**
 * The application put together: what one Lambda environment holds from its cold start on.
 *
 * Everything that a health check doesn't need is loaded at its first use, so that a cold start
 * reads a few kilobytes.
 */
import { isAlbEvent } from "./alb.mjs";
import { health } from "./health.mjs";
import { createHttpHandler } from "./http.mjs";
import { createLogger } from "./log.mjs";
import { route } from "./router.mjs";

/**
 * @param {import("./environment.mjs").Environment} environment
 * @param {{write?: (line: string) => void}} [overrides] what tests replace
 */
export function createApplication(environment, overrides = {}) {
  const { write = (line) => process.stdout.write(line) } = overrides;
  const { region } = environment;
  const logger = createLogger({ level: environment.logLevel, fields: { region }, write });
  const answerHealth = () => health(region);
  const routes = [route("/health", { GET: answerHealth, HEAD: answerHealth })];
  const answerHttp = createHttpHandler({ routes, logger });

  return {
    /** @param {any} event @param {any} context */
    handle: async (event, context) => {
      if (isAlbEvent(event)) {
        return answerHttp(event, context);
      }
      throw new Error("unknown event: neither a load balancer's nor EventBridge's");
    },
  };
}
