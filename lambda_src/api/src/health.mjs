/**
 * `GET /health`: this function runs and can answer. It touches nothing else, so that a database's
 * fault never takes both regions out of DNS at once (AWS, "Implementing health checks").
 *
 * @param {string} region
 * @returns {{status: number, body: {status: "healthy", region: string, timestamp: string}}}
 */
export function health(region) {
  return { status: 200, body: { status: "healthy", region, timestamp: new Date().toISOString() } };
}
