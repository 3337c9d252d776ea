/**
 * The database's schema, as steps that are each applied once and never changed afterwards: a new
 * need is a new step at the end.
 */
export const STEPS = [
  {
    version: 1,
    statements: [
      `CREATE TABLE public.records (
        id uuid PRIMARY KEY,
        sequence bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        idempotency_key text NOT NULL UNIQUE,
        request_hash text NOT NULL,
        event_id uuid NOT NULL,
        patient_id text NOT NULL,
        type text NOT NULL,
        data jsonb NOT NULL,
        attachment jsonb,
        region text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`,
      `CREATE TABLE public.outbox (
        event_id uuid PRIMARY KEY,
        region text NOT NULL,
        detail_type text NOT NULL,
        detail jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        attempts integer NOT NULL DEFAULT 0,
        last_error text,
        published_at timestamptz
      )`,
      "CREATE INDEX outbox_unpublished ON public.outbox (attempts, created_at) WHERE published_at IS NULL",
      "CREATE INDEX outbox_published ON public.outbox (published_at) WHERE published_at IS NOT NULL",
      `CREATE TABLE public.receipts (
        region text NOT NULL,
        event_key text NOT NULL,
        received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (region, event_key)
      )`,
      "CREATE INDEX receipts_event_key ON public.receipts (event_key)",
      `CREATE TABLE public.heartbeats (
        region text PRIMARY KEY,
        beat_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`,
    ],
  },
];

/** All that the application's user may do, table by table; granted anew at every migration. */
export const GRANTS = {
  records: "SELECT, INSERT",
  outbox: "SELECT, INSERT, UPDATE, DELETE",
  receipts: "SELECT, INSERT",
  heartbeats: "SELECT, INSERT, UPDATE",
};
