/**
 * The database user's name and password from this region's secret, read once and again only after
 * the database refused them (a rotated password).
 *
 * @param {{arn: string, readSecret: (arn: string) => Promise<{username: string, password: string}>}} options
 */
export function createCredentials({ arn, readSecret }) {
  let known;
  return {
    /** @returns {Promise<{username: string, password: string}>} */
    read: async () => (known ??= await readSecret(arn)),
    forget: () => {
      known = undefined;
    },
  };
}
