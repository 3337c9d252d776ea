import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { CLIENT_OPTIONS, within } from "./options.mjs";

const client = new SSMClient(CLIENT_OPTIONS);

/**
 * @param {string} name
 * @returns {Promise<string>} within a second: a Route 53 check waits two for the whole response
 */
export async function readParameter(name) {
  const answer = await client.send(new GetParameterCommand({ Name: name }), within(1_000));
  return answer.Parameter.Value;
}
