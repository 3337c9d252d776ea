import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { tlsOptions } from "../src/database_tls.mjs";

const WRITER = "global.global-abc.global.rds.amazonaws.com";
const CLUSTERS = ["east.cluster-abc.us-east-1.rds.amazonaws.com", "west.cluster-abc.us-west-2.rds.amazonaws.com"];
const certificate = (...names) => ({
  subject: { CN: names[0] },
  subjectaltname: names.map((name) => `DNS:${name}`).join(", "),
});

test("trap 8: the writer answers by its own cluster's name, in either region, or by the global endpoint's", async () => {
  const { checkServerIdentity, rejectUnauthorized } = await tlsOptions({ serverNames: CLUSTERS });
  assert.equal(rejectUnauthorized, true);
  for (const name of [...CLUSTERS, WRITER]) {
    assert.equal(checkServerIdentity(WRITER, certificate("instance.abc.rds.amazonaws.com", name)), undefined);
  }
});

test("another database of the same authority is refused, though its certificate is valid", async () => {
  const { checkServerIdentity } = await tlsOptions({ serverNames: CLUSTERS });
  const other = certificate("other.cluster-xyz.us-east-1.rds.amazonaws.com");
  for (const host of [WRITER, CLUSTERS[0]]) {
    assert.equal(checkServerIdentity(host, other).code, "ERR_TLS_CERT_ALTNAME_INVALID");
  }
  const none = await tlsOptions({ serverNames: [] });
  assert.equal(none.checkServerIdentity(WRITER, certificate(CLUSTERS[0])).code, "ERR_TLS_CERT_ALTNAME_INVALID");
});

test("the certificate authority is the file that the environment names", async () => {
  const directory = mkdtempSync(join(tmpdir(), "ca-"));
  const certificateAuthorityFile = join(directory, "ca.pem");
  writeFileSync(certificateAuthorityFile, "PEM");
  const { ca } = await tlsOptions({ certificateAuthorityFile, serverNames: [] });
  rmSync(directory, { recursive: true });
  assert.equal(ca, "PEM");
  assert.equal("ca" in (await tlsOptions({ serverNames: [] })), false);
});
