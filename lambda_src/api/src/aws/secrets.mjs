import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { clientOptions, within } from "./options.mjs";

const client = new SecretsManagerClient(clientOptions(1_100));

/**
 * @param {string} arn
 * @param {string} [stage] the version's staging label
 * @returns {Promise<string>} the secret's text, of the current version
 */
export async function readSecretText(arn, stage = "AWSCURRENT") {
  const command = new GetSecretValueCommand({ SecretId: arn, VersionStage: stage });
  const answer = await within(2_500, (options) => client.send(command, options));
  return answer.SecretString;
}

/**
 * @param {string} arn a secret {username, password}
 * @param {string} [stage] the version's staging label
 * @returns {Promise<{username: string, password: string}>}
 */
export async function readSecret(arn, stage) {
  const { username, password } = JSON.parse(await readSecretText(arn, stage));
  return { username, password };
}
