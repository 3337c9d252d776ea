import { DescribeEventBusCommand, EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { clientOptions, within } from "./options.mjs";

const client = new EventBridgeClient(clientOptions(1_000));
const send = (command) => within(2_300, (options) => client.send(command, options));

/**
 * @param {object[]} entries at most 10 (the limit of PutEvents)
 * @returns {Promise<(string | undefined)[]>} for each entry the error code, undefined when taken:
 *   PutEvents answers 200 even when it refused some
 */
export async function putEvents(entries) {
  const answer = await send(new PutEventsCommand({ Entries: entries }));
  return answer.Entries.map((entry) => entry.ErrorCode);
}

/** @param {string} name @returns {Promise<void>} when the bus exists and answers */
export async function describeEventBus(name) {
  await send(new DescribeEventBusCommand({ Name: name }));
}
