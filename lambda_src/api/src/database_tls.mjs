/**
 * TLS to the database: encrypted, signed by Amazon's authority, and by one of our own servers.
 *
 * The global writer endpoint is an alias of whichever cluster writes. AWS's documents don't say
 * that a cluster's certificate names it, so a certificate that names one of the global database's
 * clusters is taken as well: the same servers, by their own names.
 */
import { readFileSync } from "node:fs";

/** Codes of Node.js and OpenSSL for a handshake that failed, or a certificate that is refused. */
export const TLS_FAULT = /^(ERR_TLS_|ERR_SSL_|CERT_|SELF_SIGNED|UNABLE_|DEPTH_)/;

/**
 * @param {object} options
 * @param {string | undefined} options.certificateAuthorityFile PEM; undefined: Node's own roots
 * @param {string[]} options.serverNames the clusters' own endpoints, in both regions
 * @returns {Promise<object>} what `pg` takes as `ssl`
 */
export async function tlsOptions({ certificateAuthorityFile, serverNames }) {
  // A cold start that answers /health needs none of it.
  const { checkServerIdentity } = await import("node:tls");
  return {
    rejectUnauthorized: true,
    checkServerIdentity: (host, certificate) => {
      const refusal = checkServerIdentity(host, certificate);
      return refusal && serverNames.some((name) => !checkServerIdentity(name, certificate)) ? undefined : refusal;
    },
    ...(certificateAuthorityFile && { ca: readFileSync(certificateAuthorityFile, "utf8") }),
  };
}
