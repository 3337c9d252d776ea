/**
 * The database's schema, as steps that are each applied once and never changed afterwards: a new
 * need is a new step at the end. From step 3 on a step leaves the code before it working (first
 * add, remove later), since a release that is taken back meets the newer schema.
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
  {
    version: 2,
    statements: [
      // Who beat: `database` from inside it, or a region's application.
      "ALTER TABLE public.heartbeats RENAME COLUMN region TO source",
      // The order in which the feed gives records out; records of before this step share one.
      "ALTER TABLE public.records ADD COLUMN transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id()",
      "CREATE UNIQUE INDEX records_feed ON public.records (transaction_id, sequence)",
      "ALTER TABLE public.receipts ADD COLUMN withdrawn_at timestamptz",
      // When a region last published anew what the region that published it first may have lost.
      `CREATE TABLE public.republications (
        event_id uuid NOT NULL REFERENCES public.outbox ON DELETE CASCADE,
        region text NOT NULL,
        published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (event_id, region)
      )`,
      "CREATE SCHEMA recovery",
      "REVOKE ALL ON SCHEMA recovery FROM PUBLIC",
      // The epoch grows by one with each change of the writer; this table has one row.
      `CREATE TABLE recovery.epoch (
        epoch bigint NOT NULL,
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
      )`,
      "INSERT INTO recovery.epoch (epoch) VALUES (1)",
      // Each epoch but the first: when its promotion was asked for, and the record up to which
      // readers of the feed surely have all that came before it.
      `CREATE TABLE recovery.epochs (
        epoch bigint PRIMARY KEY,
        grown_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        promoted_at timestamptz NOT NULL,
        last_sequence bigint NOT NULL
      )`,
      // Called once the promoted writer writes. What is older than `promoted_at` came by
      // replication; what is younger may have been lost and its number given out again. A time too
      // early makes readers of the feed read some records twice, never skip one.
      //
      // A reader may have passed a record that was lost, and only what was in flight beside it can
      // sort behind it (feed.mjs). No transaction lasts a minute (database.mjs), so what is a minute
      // older than the last replicated record sorts before all of it.
      `CREATE FUNCTION recovery.grow_epoch(
        wanted bigint, promoted_at timestamptz DEFAULT clock_timestamp() - interval '15 minutes'
      ) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
      DECLARE
        present bigint;
        horizon timestamptz;
      BEGIN
        SELECT epoch INTO STRICT present FROM recovery.epoch FOR UPDATE;
        IF wanted IS NULL OR promoted_at IS NULL OR wanted > present + 16 THEN
          RAISE EXCEPTION 'epoch % can''t follow %', wanted, present USING ERRCODE = 'invalid_parameter_value';
        END IF;
        IF wanted <= present THEN
          RETURN present;
        END IF;
        SELECT created_at INTO horizon FROM public.records
          WHERE created_at < grow_epoch.promoted_at ORDER BY sequence DESC LIMIT 1;
        INSERT INTO recovery.epochs (epoch, promoted_at, last_sequence)
          SELECT wanted, grow_epoch.promoted_at, coalesce((
            SELECT sequence FROM public.records WHERE created_at < horizon - interval '1 minute'
            ORDER BY transaction_id DESC, sequence DESC LIMIT 1), 0);
        UPDATE recovery.epoch SET epoch = wanted;
        RETURN wanted;
      END $$`,
      "REVOKE ALL ON FUNCTION recovery.grow_epoch(bigint, timestamptz) FROM PUBLIC",
    ],
  },
  {
    version: 3,
    statements: [
      // When a lost record was stored again (lost_tail.mjs): its creation time, which stays, says
      // nothing of its place in the feed.
      "ALTER TABLE public.records ADD COLUMN replayed_at timestamptz",
      // As in step 2, by when records were stored: one that was replayed is as young as its replay.
      `CREATE OR REPLACE FUNCTION recovery.grow_epoch(
        wanted bigint, promoted_at timestamptz DEFAULT clock_timestamp() - interval '15 minutes'
      ) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
      DECLARE
        present bigint;
        horizon timestamptz;
      BEGIN
        SELECT epoch INTO STRICT present FROM recovery.epoch FOR UPDATE;
        IF wanted IS NULL OR promoted_at IS NULL OR wanted > present + 16 THEN
          RAISE EXCEPTION 'epoch % can''t follow %', wanted, present USING ERRCODE = 'invalid_parameter_value';
        END IF;
        IF wanted <= present THEN
          RETURN present;
        END IF;
        SELECT greatest(created_at, replayed_at) INTO horizon FROM public.records
          WHERE greatest(created_at, replayed_at) < grow_epoch.promoted_at ORDER BY sequence DESC LIMIT 1;
        INSERT INTO recovery.epochs (epoch, promoted_at, last_sequence)
          SELECT wanted, grow_epoch.promoted_at, coalesce((
            SELECT sequence FROM public.records
            WHERE greatest(created_at, replayed_at) < horizon - interval '1 minute'
            ORDER BY transaction_id DESC, sequence DESC LIMIT 1), 0);
        UPDATE recovery.epoch SET epoch = wanted;
        RETURN wanted;
      END $$`,
    ],
  },
  {
    version: 4,
    statements: [
      // What events of a lost tail are orphaned (orphans.mjs) is asked by a receipt's age, its key
      // among the records, and what was withdrawn: both tables grow for ever, and the probe has seconds.
      "CREATE INDEX records_event_key ON public.records ((event_id::text))",
      "CREATE INDEX receipts_received_at ON public.receipts (received_at)",
      "CREATE INDEX receipts_withdrawn ON public.receipts (event_key) WHERE withdrawn_at IS NOT NULL",
    ],
  },
];

/** All that the application's user may do; granted anew at every migration. */
export const GRANTS = [
  "SELECT, INSERT ON public.records",
  "SELECT, INSERT, UPDATE, DELETE ON public.outbox",
  "SELECT, INSERT, UPDATE (withdrawn_at) ON public.receipts",
  "SELECT, INSERT, UPDATE ON public.heartbeats",
  "SELECT, INSERT, UPDATE, DELETE ON public.republications",
  "SELECT ON recovery.epoch",
  "SELECT ON recovery.epochs",
  "EXECUTE ON FUNCTION recovery.grow_epoch(bigint, timestamptz)",
];
