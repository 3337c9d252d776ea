import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { clientOptions, within } from "./options.mjs";

const client = new SecretsManagerClient(clientOptions(1_100));

/**
 * @param {string} arn
 * @returns {Promise<string>} the secret's current text
 */
export async function readSecretText(arn) {
  const command = new GetSecretValueCommand({ SecretId: arn });
  const answer = await within(2_500, (options) => client.send(command, options));
  return answer.SecretString;
}

/**
 * @param {string} arn a secret {username, password}
 * @returns {Promise<{username: string, password: string}>}
 */
export async function readSecret(arn) {
  const { username, password } = JSON.parse(await readSecretText(arn));
  return { username, password };
}
