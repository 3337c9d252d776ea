import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { CLIENT_OPTIONS, within } from "./options.mjs";

const client = new S3Client(CLIENT_OPTIONS);

/**
 * Stores one object, encrypted as the bucket's default says.
 *
 * @param {{bucket: string, key: string, body: Buffer, contentType: string}} object
 * @returns {Promise<void>}
 */
export async function putObject({ bucket, key, body, contentType }) {
  await client.send(
    new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: contentType }),
    within(4_000),
  );
}
