/**
 * Records: stored through the writer, read from this region's readers.
 *
 * A read that the readers can't answer (away, or the record not replicated yet) asks the writer.
 */
import { createHash, randomUUID } from "node:crypto";
import { before } from "./deadline.mjs";
import { parseDurability } from "./durability.mjs";
import { HttpError, UnavailableError, demoted } from "./errors.mjs";
import { readPage } from "./feed.mjs";
import { isRecordId, parseNewRecord, parsePage } from "./record_input.mjs";

/** Detail type of the event that reports a new record. */
export const RECORD_CREATED = "record.created";

/**
 * Bytes of records in one answer: AWS limits a function's response to a load balancer, as JSON, to
 * 1 MB, and answers 502 for more (AWS, "Using Lambda functions as targets of an Application Load
 * Balancer"). A single record, at most 64 KiB of data, is far below it.
 */
const MAXIMUM_PAGE_BYTES = 900_000;

const COLUMNS = "id, sequence, event_id, patient_id, type, data, attachment, region, created_at";

const present = (row) => ({
  id: row.id,
  sequence: row.sequence,
  eventId: row.event_id,
  patientId: row.patient_id,
  type: row.type,
  data: row.data,
  ...(row.attachment && { attachment: row.attachment }),
  region: row.region,
  createdAt: row.created_at.toISOString(),
});

/**
 * The first of these records that fit one answer. The body is text inside the response's JSON, so
 * each quote and backslash of it counts twice.
 */
function fitting(records) {
  let bytes = 0;
  const beyond = records.findIndex((record) => {
    bytes += Buffer.byteLength(JSON.stringify(JSON.stringify(record)));
    return bytes > MAXIMUM_PAGE_BYTES;
  });
  return beyond === -1 ? records : records.slice(0, beyond);
}

/** Stores record and event together, or finds what the same request stored before. */
async function insert(client, record, { id, eventId, region, attachment }) {
  const { rows } = await client.query(
    `INSERT INTO public.records
       (id, idempotency_key, request_hash, event_id, patient_id, type, data, attachment, region)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (idempotency_key) DO NOTHING
     RETURNING ${COLUMNS}`,
    [
      id,
      record.idempotencyKey,
      record.requestHash,
      eventId,
      record.patientId,
      record.type,
      JSON.stringify(record.data),
      attachment && JSON.stringify(attachment),
      region,
    ],
  );
  if (rows.length === 0) {
    const before = await client.query(
      `SELECT request_hash, ${COLUMNS} FROM public.records WHERE idempotency_key = $1`,
      [record.idempotencyKey],
    );
    if (before.rows[0].request_hash !== record.requestHash) {
      throw new HttpError(422, "idempotency_key_reused", "This Idempotency-Key came with another body before.");
    }
    return { row: before.rows[0], replayed: true };
  }
  // No patient data: events cross regions and end up in queues, archives and logs.
  const detail = { eventId, recordId: id, type: record.type, region, createdAt: rows[0].created_at.toISOString() };
  await client.query(
    "INSERT INTO public.outbox (event_id, region, detail_type, detail) VALUES ($1, $2, $3, $4)",
    [eventId, region, RECORD_CREATED, JSON.stringify(detail)],
  );
  return { row: rows[0], replayed: false };
}

/**
 * @param {object} options
 * @param {ReturnType<typeof import("./database.mjs").createDatabase>} options.database
 * @param {ReturnType<typeof import("./epochs.mjs").createEpochs>} options.epochs
 * @param {ReturnType<typeof import("./durability.mjs").createDurability>} options.durability
 * @param {string} options.region
 * @param {string} options.bucketName
 * @param {(object: {bucket: string, key: string, body: Buffer, contentType: string}) => Promise<void>} options.putObject
 * @param {(deadline: number) => Promise<void>} options.afterWrite publishes what was stored; never throws
 */
export function createRecords({ database, epochs, durability, region, bucketName, putObject, afterWrite }) {
  /** Before the transaction, so that no record names an object that isn't there. */
  async function keep({ idempotencyKey, requestHash, attachment }, isTwoRegion, deadline) {
    if (attachment === undefined) {
      return undefined;
    }
    const { contentType, body, sha256 } = attachment;
    // Repeated requests overwrite their own object, and only that.
    const name = createHash("sha256").update(`${idempotencyKey}\n${requestHash}`).digest("hex");
    const key = `attachments/${name}`;
    // Put anew, an object would have to be replicated anew.
    if (!(isTwoRegion && (await durability.isUnderWay(key, deadline)))) {
      try {
        await before(deadline, putObject({ bucket: bucketName, key, body, contentType }));
      } catch (error) {
        throw new UnavailableError("storage_unavailable", "The attachment can't be stored.", error);
      }
    }
    return { key, contentType, size: body.length, sha256 };
  }

  async function readLocally(deadline, work, isAnswer) {
    try {
      const answer = await database.run("reader", deadline, work);
      if (isAnswer(answer)) {
        return answer;
      }
    } catch (error) {
      if (!(error instanceof UnavailableError)) {
        throw error;
      }
    }
    return database.run("writer", deadline, work);
  }

  return {
    /** `POST /records` */
    create: async (request) => {
      const record = parseNewRecord(request);
      const isTwoRegion = parseDurability(request.headers);
      if (isTwoRegion) {
        durability.check();
      }
      // Before the attachment, which is of no use without a writer.
      database.admit("writer");
      const attachment = await keep(record, isTwoRegion, request.deadline);
      const identity = { id: randomUUID(), eventId: randomUUID(), region, attachment };
      const { row, replayed, epoch } = await database.transaction(request.deadline, async (client, epoch) => ({
        ...(await insert(client, record, identity)),
        epoch,
      }));
      const [reached] = await Promise.all([
        isTwoRegion ? durability.reach(row, request.deadline) : "one-region",
        afterWrite(request.deadline),
      ]);
      // Learnt while waiting: the volume that has the record was demoted, and may be alone with it.
      if (epoch < epochs.known()) {
        throw demoted();
      }
      const headers = {
        location: `/records/${row.id}`,
        durability: reached,
        ...(replayed && { "idempotency-replayed": "true" }),
      };
      return { status: 201, headers, body: present(row), records: [row.id] };
    },

    /** `GET /records/{id}` */
    read: async ({ parameters: [id], deadline }) => {
      const missing = new HttpError(404, "not_found", "There is no record with this id.");
      if (!isRecordId(id)) {
        throw missing;
      }
      const find = (client) => client.query(`SELECT ${COLUMNS} FROM public.records WHERE id = $1`, [id]);
      const { rows } = await readLocally(deadline, find, (answer) => answer.rows.length > 0);
      if (rows.length === 0) {
        throw missing;
      }
      return { status: 200, body: present(rows[0]), records: [id] };
    },

    /** `GET /records?after=EPOCH.SEQUENCE&limit=…`, as the feed gives them out; fewer when they are large */
    list: async ({ query, deadline }) => {
      const page = parsePage(query);
      const { after, limit } = page;
      const find = (client) => readPage(client, COLUMNS, page);
      const { rows, epoch } = await readLocally(deadline, find, ({ isKnown }) => isKnown);
      epochs.adopt(epoch);
      if (after !== undefined && after.epoch > epoch) {
        throw epochs.known() >= after.epoch
          ? demoted()
          : new HttpError(400, "invalid_request", "after is of an epoch that never was.");
      }
      const records = fitting(rows.map(present));
      const isEnd = rows.length < limit && records.length === rows.length;
      const cursor = `${epoch}.${records.at(-1)?.sequence ?? after?.sequence ?? 0}`;
      return { status: 200, body: { records, next: isEnd ? null : cursor, cursor }, records: records.map(({ id }) => id) };
    },
  };
}
