/**
 * The AWS services this application calls. Each client is loaded and made at its first call: a
 * cold start for a health check loads none.
 */
export const aws = Object.freeze({
  readSecret: async (arn, stage) => (await import("./secrets.mjs")).readSecret(arn, stage),
  readSecretText: async (arn) => (await import("./secrets.mjs")).readSecretText(arn),
  readParameter: async (name, region) => (await import("./parameters.mjs")).readParameter(name, region),
  putEvents: async (entries) => (await import("./events.mjs")).putEvents(entries),
  describeEventBus: async (name) => (await import("./events.mjs")).describeEventBus(name),
  putObject: async (object) => (await import("./objects.mjs")).putObject(object),
  replicationStatus: async (object) => (await import("./objects.mjs")).replicationStatus(object),
});
