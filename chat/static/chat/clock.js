/** Times as people read them. */

/** @param {number} seconds @returns {string} "29:58", or "1:05:00" from an hour on */
export function countdown(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  const pad = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(left / 3600), Math.floor((left % 3600) / 60)];
  return hours ? `${hours}:${pad(minutes)}:${pad(left % 60)}` : `${minutes}:${pad(left % 60)}`;
}

const time = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

/** @param {string | undefined} at  an ISO time @returns {string} */
export const timeOfDay = (at) => (at && !Number.isNaN(Date.parse(at)) ? time.format(new Date(at)) : "");

/** @param {string | undefined} at @returns {string} the local day, to compare with another */
export const dayOf = (at) => (at && !Number.isNaN(Date.parse(at)) ? new Date(at).toDateString() : "");

/** @param {string} key  from `dayOf` @param {{today: string, yesterday: string}} words @param {Date} now */
export function dayName(key, words, now) {
  if (key === now.toDateString()) return words.today;
  const before = new Date(now);
  before.setDate(before.getDate() - 1);
  return key === before.toDateString() ? words.yesterday : day.format(new Date(key));
}

/** @param {string} at @returns {string} "at 14:05", or with the day when it is not today */
export function moment(at, now = new Date()) {
  if (!timeOfDay(at)) return "";
  return dayOf(at) === now.toDateString() ? `at ${timeOfDay(at)}` : `on ${day.format(new Date(at))} at ${timeOfDay(at)}`;
}
