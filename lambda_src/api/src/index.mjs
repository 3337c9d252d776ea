/** The Lambda handlers: `index.handler` (the application) and `index.migrate` (the schema). */
import { createApplication } from "./application.mjs";
import { readEnvironment } from "./environment.mjs";

const application = createApplication(readEnvironment(process.env));

export const handler = application.handle;
export const migrate = application.migrate;
