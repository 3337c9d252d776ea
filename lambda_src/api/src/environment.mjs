/**
 * The function's environment, read once.
 *
 * @typedef {object} Environment
 * @property {string} region AWS region that the function wakes up in
 * @property {"primary" | "secondary"} regionRole
 * @property {string} functionVersion the published version of this function that runs, or $LATEST
 * @property {string | undefined} failoverSwitchParameter parameter name, in the standby region only
 * @property {{name: string, region?: string}[]} epochParameters where each region keeps the newest epoch
 *   that it knows; those that aren't configured are left out
 * @property {string} peerRegion the other region, empty when it isn't configured
 * @property {string | undefined} readinessTokenSecretArn this region's secret, the token as its text
 * @property {string} eventBusName
 * @property {string} eventSource
 * @property {string} databaseWriterEndpoint the global writer endpoint: follows the writer
 * @property {string} databaseClusterEndpoint this region's cluster
 * @property {string} databaseReaderEndpoint this region's readers
 * @property {string | undefined} databasePeerReaderEndpoint the other region's readers
 * @property {string | undefined} databasePeerClusterEndpoint the other region's cluster
 * @property {number} databasePort
 * @property {string} databaseName
 * @property {string} databaseSecretArn this region's application secret, {username, password}
 * @property {{certificateAuthorityFile: string | undefined, serverNames: string[]}} databaseTls PEM file that
 *   signs the database's certificates, and the names of both regions' clusters
 * @property {string} bucketName this region's bucket
 * @property {string} logLevel
 * @property {number} emergencyDays emergency export only: patients with a record in so many days are in it
 * @property {string} environmentSuffix
 * @property {string} masterSecretArn migration function only
 * @property {string} applicationSecretArn migration function only
 * @property {{region: string, host: string, serverName: string}} gate gate function only: the standby's load
 *   balancer, and the name on its certificate, empty where it serves plain HTTP
 */

/**
 * @param {Record<string, string | undefined>} variables `process.env`
 * @returns {Environment} absent variables are empty: only what needs one fails, with its name
 */
export function readEnvironment(variables) {
  const text = (name, fallback = "") => variables[name] || fallback;
  const serverNames = text("DATABASE_SERVER_NAMES").split(",").filter(Boolean);
  const peerRegion = text("PEER_REGION");
  const databaseClusterEndpoint = text("DATABASE_CLUSTER_ENDPOINT");
  return Object.freeze({
    region: text("AWS_REGION", "unknown"),
    functionVersion: text("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    regionRole: text("REGION_ROLE") === "secondary" ? "secondary" : "primary",
    failoverSwitchParameter: variables.FAILOVER_SWITCH_PARAMETER || undefined,
    peerRegion,
    epochParameters: [
      { name: text("EPOCH_PARAMETER") },
      { name: text("PEER_EPOCH_PARAMETER"), region: peerRegion },
    ].filter(({ name, region }) => name !== "" && region !== ""),
    readinessTokenSecretArn: variables.READINESS_TOKEN_SECRET_ARN || undefined,
    eventBusName: text("EVENT_BUS_NAME"),
    eventSource: text("EVENT_SOURCE", "warm-standby.app"),
    databaseWriterEndpoint: text("DATABASE_WRITER_ENDPOINT"),
    databaseClusterEndpoint,
    databaseReaderEndpoint: text("DATABASE_READER_ENDPOINT"),
    databasePeerReaderEndpoint: variables.DATABASE_PEER_READER_ENDPOINT || undefined,
    // The clusters' own endpoints are the names that their certificates bear.
    databasePeerClusterEndpoint: serverNames.find((name) => name !== databaseClusterEndpoint),
    databasePort: Number(text("DATABASE_PORT", "5432")),
    databaseName: text("DATABASE_NAME"),
    databaseSecretArn: text("DATABASE_SECRET_ARN"),
    databaseTls: {
      certificateAuthorityFile: variables.NODE_EXTRA_CA_CERTS || variables.DATABASE_CERTIFICATE_AUTHORITIES || undefined,
      serverNames,
    },
    bucketName: text("BUCKET_NAME"),
    logLevel: text("LOG_LEVEL", "info").toLowerCase(),
    emergencyDays: Number(text("EMERGENCY_DAYS", "90")),
    environmentSuffix: text("ENVIRONMENT_SUFFIX"),
    masterSecretArn: text("MASTER_SECRET_ARN"),
    applicationSecretArn: text("APPLICATION_SECRET_ARN"),
    gate: { region: text("AWS_REGION", "unknown"), host: text("GATE_HOST"), serverName: text("GATE_SERVER_NAME") },
  });
}
