// Finding rows by what they are called.

import { about, array, columns, nameOf, placedCount, told } from "./data.js";

/**
 * The rows that `text` means: `index`, the one of that index (-1 for none), and `rows`, those with
 * a label or file of that name, with images placed afterwards only where there are no others. A number
 * is a label of just that name; other words are parts of labels and files.
 */
export function search(text, stage) {
  const wanted = text.trim().toLowerCase();
  const isNumber = /^\d+$/.test(wanted);
  const fits = (told) => (isNumber ? told === wanted : told.toLowerCase().includes(wanted));
  const labels = columns.filter((column) => column.kind === "category" && !column.plain);
  const rows = [];
  for (let row = 0; row < about.n; row++) {
    const isMeant =
      labels.some((column) => fits(told(column, row, stage))) ||
      (about.sources && fits(about.sources[row]));
    if (isMeant) rows.push(row);
  }
  const index = isNumber ? array("index").indexOf(Number(wanted)) : -1;
  if (!rows.length && index < 0) {
    for (let row = about.n; row < about.n + placedCount; row++) if (fits(nameOf(row))) rows.push(row);
  }
  return { index, rows };
}
