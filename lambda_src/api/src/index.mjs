/**
 * The Lambda handlers: `index.handler` (the application), `index.migrate` (the schema),
 * `index.probe` (what the recovery controller learns of the database), `index.gate` (whether the
 * standby serves what was deployed there) and `index.emergency` (what clinicians read without us).
 */
import { createApplication } from "./application.mjs";
import { readEnvironment } from "./environment.mjs";

const application = createApplication(readEnvironment(process.env));

export const handler = application.handle;
export const migrate = application.migrate;
export const probe = application.probe;
export const gate = application.gate;
export const emergency = application.emergency;
