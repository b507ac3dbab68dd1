// Light or dark in the framed chat, before the first paint: as the page around it wants it, or else as the system.
(() => {
  const wanted = new URLSearchParams(location.search).get("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const fixed = wanted === "dark" || wanted === "light";
    document.documentElement.dataset.theme = fixed ? wanted : dark.matches ? "dark" : "light";
  };
  show();
  dark.addEventListener("change", show);
})();
