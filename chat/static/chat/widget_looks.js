/**
 * The company's colour and title in the framed chat. Whatever colour is given, text stays readable: it is made darker or
 * lighter until its contrast is that of WCAG 2.2 (1.4.3), on the lightest and the darkest ground that it stands on.
 */
const ENOUGH = 4.6;
const GROUNDS = { light: ["#fbfaf8", "#e9e6e0"], dark: ["#131514", "#2a302e"] };
const INK = { light: "#1d1c1a", dark: "#eceeec" };
const RAISED = { light: "#ffffff", dark: "#1c1f1e" };
const TINT = { light: 0.12, dark: 0.25 };

/** @param {{title: unknown, color: unknown}} wanted */
export function wear({ title, color }) {
  if (typeof title === "string" && title.trim()) name(title.trim().slice(0, 60));
  if (typeof color !== "string" || !/^#[0-9a-f]{6}$/i.test(color)) return;
  const root = document.documentElement;
  const paint = () => {
    const theme = root.dataset.theme === "dark" ? "dark" : "light";
    for (const [property, value] of Object.entries(palette(color, theme))) root.style.setProperty(property, value);
  };
  paint();
  new MutationObserver(paint).observe(root, { attributeFilter: ["data-theme"] });
}

/** @param {string} title */
function name(title) {
  document.title = title;
  const [heading, mark] = [document.querySelector(".brand h1"), document.querySelector(".mark")];
  if (heading) heading.textContent = title;
  if (mark) mark.textContent = [...title][0].toUpperCase();
}

/** @param {string} color @param {"light" | "dark"} theme @returns {Record<string, string>} */
function palette(color, theme) {
  const end = theme === "light" ? "#000000" : "#ffffff";
  let accent = color;
  for (let share = 0; share <= 1 && !GROUNDS[theme].every((ground) => contrast(accent, ground) >= ENOUGH); share += 0.05) {
    accent = mixed(end, color, share);
  }
  return {
    "--accent": accent,
    "--accent-hover": mixed(end, accent, 0.15),
    "--on-accent": contrast(accent, "#ffffff") >= ENOUGH ? "#ffffff" : "#101211",
    "--tint": mixed(accent, RAISED[theme], TINT[theme]),
    "--on-tint": INK[theme],
  };
}

/** @param {string} color @returns {number[]} */
const parts = (color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));

/** So much of one in the other. @param {string} one @param {string} other @param {number} share */
function mixed(one, other, share) {
  const others = parts(other);
  const values = parts(one).map((value, i) => Math.round(value * share + others[i] * (1 - share)));
  return `#${values.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** @param {string} color */
function luminance(color) {
  const [r, g, b] = parts(color).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** @param {string} one @param {string} other */
function contrast(one, other) {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}
