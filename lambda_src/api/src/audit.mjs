/**
 * Who reads records beside the application (HIPAA §164.312(b)): PostgreSQL's pgaudit logs each
 * statement that reads or changes one, with the user and the host that sent it.
 *
 * Aurora loads the library where `shared_preload_libraries` names it, and audits what its role may
 * do (AWS, "Using pgAudit to log database activity"). The application's own reads are in its log, by
 * record and person (http.mjs). No parameters are logged: they hold patients' data. Where the library
 * isn't loaded nothing is audited, and nothing fails.
 */
const AUDITED = "SELECT, UPDATE, DELETE ON public.records";

/** The role that `pgaudit.role` names; AWS takes this one only. */
const AUDITOR = "rds_pgaudit";

/**
 * @param {any} client of the application's database, in the migration's transaction
 * @returns {Promise<string>} what is audited, or `absent`
 */
export async function auditAccess(client) {
  // The setting is there where the library is loaded; the extension where it may be made.
  const { rows } = await client.query(
    `SELECT setting AS role FROM pg_settings
     WHERE name = 'pgaudit.role' AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pgaudit')`,
  );
  if (rows.length === 0) {
    return "absent";
  }
  await client.query("CREATE EXTENSION IF NOT EXISTS pgaudit");
  const { rowCount } = await client.query("SELECT 1 FROM pg_roles WHERE rolname = $1", [AUDITOR]);
  if (rowCount === 0) {
    await client.query(`CREATE ROLE ${AUDITOR}`);
  }
  await client.query(`GRANT ${AUDITED} TO ${AUDITOR}`);
  return rows[0].role === AUDITOR ? "records" : "nothing: pgaudit.role isn't set";
}
