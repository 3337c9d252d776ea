import { HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { clientOptions, within } from "./options.mjs";

const client = new S3Client(clientOptions(1_700));
const statusClient = new S3Client(clientOptions(500));

/**
 * Stores one object, encrypted as the bucket's default says.
 *
 * @param {{bucket: string, key: string, body: Buffer, contentType: string}} object
 * @returns {Promise<void>}
 */
export async function putObject({ bucket, key, body, contentType }) {
  const command = new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: contentType });
  await within(4_000, (options) => client.send(command, options));
}

/**
 * @param {{bucket: string, key: string}} object
 * @returns {Promise<string | undefined>} S3's replication status: PENDING, COMPLETED, FAILED,
 *   REPLICA; undefined where no rule replicates it
 * @throws {Error} when there is none, or it can't be asked
 */
export async function replicationStatus({ bucket, key }) {
  const command = new HeadObjectCommand({ Bucket: bucket, Key: key });
  const answer = await within(1_400, (options) => statusClient.send(command, options));
  return answer.ReplicationStatus;
}
