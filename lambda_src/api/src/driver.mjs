/**
 * A connection of PostgreSQL's driver outside any pool; the driver is loaded at its first use.
 *
 * @param {object} options what `pg.Client` takes
 * @returns {Promise<any>} a `pg.Client` that isn't connected yet
 */
export async function createDriverClient(options) {
  const { default: pg } = await import("pg");
  return new pg.Client(options);
}
