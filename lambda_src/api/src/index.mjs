/**
 * The Lambda handlers: `index.handler` (the application), `index.migrate` (the schema),
 * `index.probe` (what the recovery controller learns of the database) and `index.gate` (whether the
 * standby serves what was deployed there).
 */
import { createApplication } from "./application.mjs";
import { readEnvironment } from "./environment.mjs";

const application = createApplication(readEnvironment(process.env));

export const handler = application.handle;
export const migrate = application.migrate;
export const probe = application.probe;
export const gate = application.gate;
