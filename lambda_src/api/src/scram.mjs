/**
 * PostgreSQL's stored form of a password (RFC 5803, `SCRAM-SHA-256$…`), made here so that the
 * password itself never stands in a statement, which the server may log.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";

const ITERATIONS = 4096;

/**
 * @param {string} password
 * @param {Buffer} [salt] 16 random bytes
 * @returns {string}
 */
export function scramVerifier(password, salt = randomBytes(16)) {
  // PostgreSQL prepares passwords with SASLprep, which for everything printable is NFKC.
  const salted = pbkdf2Sync(password.normalize("NFKC"), salt, ITERATIONS, 32, "sha256");
  const keyed = (text) => createHmac("sha256", salted).update(text).digest();
  const storedKey = createHash("sha256").update(keyed("Client Key")).digest("base64");
  const serverKey = keyed("Server Key").toString("base64");
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}
