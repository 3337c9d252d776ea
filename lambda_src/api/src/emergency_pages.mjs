/**
 * The emergency export as pages for a browser: one file each, without scripts, and nothing that is
 * loaded from anywhere. Pure: the same records give the same pages.
 */

/** Bytes after which a page ends; with a record of 64 KiB at its end a browser still shows it at once. */
const PAGE_BYTES = 2_000_000;

const STYLE = `body{font:15px/1.4 sans-serif;margin:1.5rem;max-width:75rem}
table{border-collapse:collapse;width:100%}th,td{border:1px solid #999;padding:.3rem .5rem;text-align:left;vertical-align:top}
dl{margin:0}dt{font-weight:bold}dd{margin:0 0 0 1rem}ul{margin:0;padding-left:1rem}.note{color:#555}`;

/** What a browser refuses to do with a page, whatever a record holds. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

/** @param {unknown} value @returns {string} text that is only text in HTML */
const escaped = (value) => String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** A record's data as it is, names beside values. */
function shown(value) {
  if (Array.isArray(value)) {
    return `<ul>${value.map((one) => `<li>${shown(one)}</li>`).join("")}</ul>`;
  }
  if (value !== null && typeof value === "object") {
    const pairs = Object.entries(value).map(([name, one]) => `<dt>${escaped(name)}</dt><dd>${shown(one)}</dd>`);
    return `<dl>${pairs.join("")}</dl>`;
  }
  return escaped(value);
}

const file = (title, body) =>
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`;

/** @param {number} number from 1 on @returns {string} the page's file name */
export const pageName = (number) => `page-${String(number).padStart(4, "0")}.html`;

function row({ id, type, data, attachment, created_at: createdAt }) {
  const kept = attachment ? `<p class="note">attachment: ${escaped(attachment.key)} (${escaped(attachment.contentType)})</p>` : "";
  return `<tr><td>${createdAt.toISOString()}</td><td>${escaped(type)}</td><td>${shown(data)}${kept}</td><td>${escaped(id)}</td></tr>\n`;
}

const HEADINGS = "<table><tr><th>stored (UTC)</th><th>type</th><th>data</th><th>record</th></tr>\n";

/**
 * @typedef {{patient_id: string, id: string, type: string, data: unknown, created_at: Date,
 *   attachment: {key: string, contentType: string} | null}} Row
 * @typedef {{number: number, html: string, first: string, last: string, records: number, patients: number}} Page
 *   patients: those that begin on it; `first` and `last` are patients' ids
 *
 * @param {AsyncIterable<Row>} rows by patient, then in the order in which they were stored
 * @param {number} [limit] bytes after which a page ends
 * @returns {AsyncGenerator<Page>} a patient's records may continue on the next page, under its id again
 */
export async function* pagesOf(rows, limit = PAGE_BYTES) {
  let page, patient;
  const end = () => {
    const title = `Records of patients ${page.first} to ${page.last}`;
    const body = `<h1>${escaped(title)}</h1>\n<p><a href="index.html">all pages</a></p>\n${page.html.join("")}</table>`;
    return { ...page, html: file(title, body) };
  };
  let number = 0;
  for await (const record of rows) {
    const isNew = record.patient_id !== patient;
    patient = record.patient_id;
    if (page === undefined) {
      number += 1;
      page = { number, first: patient, last: patient, records: 0, patients: 0, html: [], bytes: 0 };
    }
    const add = (text) => {
      page.html.push(text);
      page.bytes += Buffer.byteLength(text);
    };
    if (isNew || page.records === 0) {
      add(`${page.records === 0 ? "" : "</table>\n"}<h2>Patient ${escaped(patient)}</h2>\n${HEADINGS}`);
    }
    add(row(record));
    page.records += 1;
    page.patients += Number(isNew);
    page.last = patient;
    if (page.bytes >= limit) {
      yield end();
      page = undefined;
    }
  }
  if (page !== undefined) {
    yield end();
  }
}

/**
 * @param {{region: string, asOf: Date, madeAt: Date, days: number, pages: Omit<Page, "html">[]}} made asOf: until
 *   when the region's reader surely had what was stored; days: as long ago may a patient's last record be
 * @returns {string} the page that leads to all others
 */
export function indexOf({ region, asOf, madeAt, days, pages }) {
  const title = `Emergency export of ${region}, ${asOf.toISOString()}`;
  const rows = pages.map(
    ({ number, first, last, records }) =>
      `<tr><td><a href="${pageName(number)}">${pageName(number)}</a></td><td>${escaped(first)}</td><td>${escaped(last)}</td><td>${records}</td></tr>\n`,
  );
  return file(
    title,
    `<h1>${escaped(title)}</h1>
<p>Read only. All that was stored until ${asOf.toISOString()} (UTC) of every patient with a record in the
${days} days before is in it; it was made at ${madeAt.toISOString()}. Later records are missing. Patients' data: keep it as such, and delete it when the system is back.</p>
<table><tr><th>page</th><th>first patient</th><th>last patient</th><th>records</th></tr>
${rows.join("")}</table>`,
  );
}
