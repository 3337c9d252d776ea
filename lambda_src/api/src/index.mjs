/** The Lambda handlers: `index.handler` (the application) and `index.migrate` (the schema). */
import { createApplication } from "./application.mjs";
import { readEnvironment } from "./environment.mjs";

const environment = readEnvironment(process.env);
const application = createApplication(environment);

export const handler = application.handle;
