/* What the theme leaves out on pages that it draws: its icons are words to whoever listens, what it lets people press is
   out of the keyboard's reach, and it does not notice when the system turns light or dark. */
"use strict";

(() => {
    const ICON = ".material-symbols-outlined";
    const PRESSED = "a:not([href])[x-on\\:click]";
    /* Of what is only an icon to press. */
    const NAMES = {
        add: "Add",
        arrow_back: "Back",
        clear: "Clear",
        close: "Close",
        computer: "Light or dark",
        dark_mode: "Light or dark",
        delete: "Delete",
        edit: "Edit",
        light_mode: "Light or dark",
        more_horiz: "More actions",
        search: "Search",
        support_agent: "Home page",
        visibility: "View",
    };

    const quieten = (icon) => {
        const control = icon.closest("a, button, [role=button], summary");
        if (icon !== control) icon.setAttribute("aria-hidden", "true");
        if (!control || control.hasAttribute("aria-label") || control.hasAttribute("aria-labelledby")) return;
        const words = icon === control ? "" : [...control.childNodes].map(spoken).join("").trim();
        if (words || control.querySelector("img[alt]:not([alt=''])")) return;
        const name = control.title || NAMES[icon.textContent.trim()];
        if (name) control.setAttribute("aria-label", name);
    };
    const spoken = (node) => {
        if (node.nodeType === Node.TEXT_NODE) return node.data;
        if (node.nodeType !== Node.ELEMENT_NODE || node.matches(`${ICON}, [aria-hidden=true]`)) return "";
        return node.getAttribute("aria-label") || [...node.childNodes].map(spoken).join("");
    };

    const reach = (one) => {
        one.setAttribute("role", "button");
        one.tabIndex = 0;
    };

    const mend = (within) => {
        for (const icon of within.querySelectorAll(`${ICON}:not([aria-hidden=true])`)) quieten(icon);
        for (const mark of within.querySelectorAll("a > .date-icon, a > .clock-icon")) {
            mark.parentElement.ariaLabel ??= mark.matches(".date-icon") ? "Choose a date" : "Choose a time";
        }
        for (const one of within.querySelectorAll(`${PRESSED}:not([role])`)) reach(one);
    };

    document.addEventListener("keydown", (event) => {
        if (event.repeat || ![" ", "Enter"].includes(event.key) || !event.target.matches?.(PRESSED)) return;
        event.preventDefault();
        event.target.click();
    });

    /* The class of the page is worked out from this choice, and only when the choice changes. */
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
        const theme = window.Alpine.$data(document.documentElement);
        if (theme.adminTheme !== "auto") return;
        theme.adminTheme = event.matches ? "dark" : "light";
        window.Alpine.nextTick(() => {
            theme.adminTheme = "auto";
        });
    });

    const begin = () => {
        mend(document);
        new MutationObserver((changes) => {
            if (changes.some((change) => change.addedNodes.length)) mend(document);
        }).observe(document.body, { childList: true, subtree: true });
    };
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
    else begin();
})();
