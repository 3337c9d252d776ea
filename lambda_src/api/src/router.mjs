/**
 * Which handler answers which method and path.
 *
 * @typedef {(request: import("./alb.mjs").Request & {parameters: string[], deadline: number}) => object | Promise<object>} Handler
 * @typedef {{pattern: string, expression: RegExp, methods: Record<string, Handler>}} Route
 */
import { HttpError } from "./errors.mjs";

/**
 * @param {string} pattern a path with `{name}` for one variable segment
 * @param {Record<string, Handler>} methods
 * @returns {Route}
 */
export function route(pattern, methods) {
  return { pattern, expression: new RegExp(`^${pattern.replaceAll(/\{\w+\}/g, "([^/]+)")}$`), methods };
}

/**
 * @param {Route[]} routes
 * @param {string} path
 * @returns {{route: Route, parameters: string[]} | undefined}
 */
export function match(routes, path) {
  for (const candidate of routes) {
    const found = candidate.expression.exec(path);
    if (found) {
      return { route: candidate, parameters: found.slice(1) };
    }
  }
  return undefined;
}

/**
 * @param {Route} found
 * @param {string} method
 * @returns {Handler}
 * @throws {HttpError} 405 with Allow
 */
export function handlerFor(found, method) {
  if (!Object.hasOwn(found.methods, method)) {
    const allowed = Object.keys(found.methods).join(", ");
    throw new HttpError(405, "method_not_allowed", `This path answers ${allowed}.`, { allow: allowed });
  }
  return found.methods[method];
}
