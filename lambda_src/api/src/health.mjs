/** The header of `GET /health` that names the version of the function which answers. */
export const VERSION_HEADER = "x-function-version";

/**
 * `GET /health`: this function runs and can answer. It touches nothing else, so that a database's
 * fault never takes both regions out of DNS at once (AWS, "Implementing health checks").
 *
 * @param {string} region
 * @param {string} version the published version that runs, or $LATEST
 * @returns {{status: number, headers: Record<string, string>, body: {status: "healthy", region: string, timestamp: string}}}
 */
export function health(region, version) {
  return {
    status: 200,
    headers: { [VERSION_HEADER]: version },
    body: { status: "healthy", region, timestamp: new Date().toISOString() },
  };
}
