/** Tables as CSV files, as RFC 4180 writes them, in a form that no spreadsheet takes for a formula. */

/**
 * @param {(string | number)[][]} rows
 * @returns {Blob}
 */
export function csv(rows) {
  const text = rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
  // With this mark in front, spreadsheets read the names as Unicode.
  return new Blob(["\uFEFF", text], { type: "text/csv;charset=utf-8" });
}

/**
 * Numbers as they are, all texts in quotes. A text that a spreadsheet would calculate gets an apostrophe in front
 * (OWASP, CSV Injection); the full-width signs count as well.
 * @param {string | number} value
 */
function cell(value) {
  if (typeof value === "number") return value.toFixed(6);
  const safe = /^\s*[=+\-@＝＋－＠|%]|^[\t\r\n]/.test(value) ? `'${value}` : value;
  return `"${safe.replaceAll('"', '""')}"`;
}
