import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { CLIENT_OPTIONS, within } from "./options.mjs";

const client = new SecretsManagerClient(CLIENT_OPTIONS);

/**
 * @param {string} arn a secret {username, password}
 * @returns {Promise<{username: string, password: string}>}
 */
export async function readSecret(arn) {
  const answer = await client.send(new GetSecretValueCommand({ SecretId: arn }), within(2_500));
  const { username, password } = JSON.parse(answer.SecretString);
  return { username, password };
}
