import { DescribeEventBusCommand, EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { CLIENT_OPTIONS, within } from "./options.mjs";

const client = new EventBridgeClient(CLIENT_OPTIONS);

/**
 * @param {object[]} entries at most 10 (the limit of PutEvents)
 * @returns {Promise<(string | undefined)[]>} for each entry the error code, undefined when taken:
 *   PutEvents answers 200 even when it refused some
 */
export async function putEvents(entries) {
  const answer = await client.send(new PutEventsCommand({ Entries: entries }), within(1_500));
  return answer.Entries.map((entry) => entry.ErrorCode);
}

/** @param {string} name @returns {Promise<void>} when the bus exists and answers */
export async function describeEventBus(name) {
  await client.send(new DescribeEventBusCommand({ Name: name }), within(1_500));
}
