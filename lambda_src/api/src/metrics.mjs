/**
 * Metrics as log lines that CloudWatch takes up by itself (AWS, "Embedded metric format
 * specification"): no call, no permission, nothing to wait for.
 */
const NAMESPACE = "WarmStandby";

/**
 * @param {{suffix: string, write: (line: string) => void}} options suffix: the dimension
 *   EnvironmentSuffix
 * @returns {(name: string, unit: string, value: number) => void}
 */
export function createMetrics({ suffix, write }) {
  return (name, unit, value) => {
    const described = {
      Namespace: NAMESPACE,
      Dimensions: [["EnvironmentSuffix"]],
      Metrics: [{ Name: name, Unit: unit }],
    };
    const _aws = { Timestamp: Date.now(), CloudWatchMetrics: [described] };
    write(`${JSON.stringify({ _aws, EnvironmentSuffix: suffix, [name]: value })}\n`);
  };
}
