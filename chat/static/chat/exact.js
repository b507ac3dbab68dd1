/**
 * JSON in which whole numbers stay what was written. Numbers are rounded here from 2^53 on, and an approval that shows
 * another order than the one that is meant is none: such a number is kept as its text. Browsers that do not tell a
 * reviver what was written (before Chrome 114, Firefox 135, Safari 18.4) round it all the same.
 * @param {string} written @returns {any}
 */
export const parseExact = (written) => JSON.parse(written, /[0-9]{16}/.test(written) ? exact : undefined);

/** @param {string} _name @param {any} value @param {{source?: string}} [context] */
const exact = (_name, value, context) =>
  typeof value === "number" && !Number.isSafeInteger(value) && /^-?[0-9]+$/.test(context?.source ?? "") ? context?.source : value;
