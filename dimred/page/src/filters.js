// Which rows are hidden: by the categories and the ranges of numbers that are left out.

import { values } from "./data.js";

/** hidden: column -> set of codes. ranges: column -> [least, greatest]. */
export class Filters {
  constructor() {
    this.hidden = new Map();
    this.ranges = new Map();
  }

  hiddenOf(column) {
    return this.hidden.get(column) ?? new Set();
  }

  /** Leave out these categories of a column, and no other of it. */
  hide(column, codes) {
    const all = new Set(codes);
    if (all.size) this.hidden.set(column, all);
    else this.hidden.delete(column);
  }

  setHidden(column, code, isHidden) {
    const codes = new Set(this.hiddenOf(column));
    codes[isHidden ? "add" : "delete"](code);
    this.hide(column, codes);
  }

  /** Show only numbers from `low` to `high`, which leaves out what is not known; null: show all. */
  limit(column, range) {
    if (range) this.ranges.set(column, range);
    else this.ranges.delete(column);
  }

  clear() {
    this.hidden.clear();
    this.ranges.clear();
  }

  /** The titles of the columns by which something is left out. */
  get titles() {
    return [...this.hidden.keys(), ...this.ranges.keys()].map((column) => column.title);
  }

  /** Whether a row is hidden in a stage, as a function of the row. */
  test(stage) {
    const codes = [...this.hidden].map(([column, off]) => [values(column, stage), off]);
    const limits = [...this.ranges].map(([column, range]) => [values(column, stage), range]);
    return (row) =>
      codes.some(([of, off]) => off.has(of[row])) ||
      limits.some(([of, [low, high]]) => !(of[row] >= low && of[row] <= high));
  }
}
