/* Canned replies in the composer: `/` and a part of the name, arrows, Enter. Nothing is sent by choosing one. */
"use strict";

(() => {
    const one = (selector) => document.querySelector(selector);
    const field = () => one("#reply-content");
    const box = () => one("#canned");
    const options = () => [...document.querySelectorAll('#canned [role="option"]')];
    let chosen = -1;
    let asked = 0;
    let waits = 0;

    /* What stands between the last slash and the caret, where the slash begins a word. */
    const typed = () => {
        const text = field();
        if (!text || text.selectionStart !== text.selectionEnd) return null;
        const found = /(?:^|\s)\/([\w-]{0,40})$/.exec(text.value.slice(0, text.selectionStart));
        return found ? found[1] : null;
    };

    const close = () => {
        asked += 1;
        window.clearTimeout(waits);
        if (!box() || box().hidden) return;
        box().hidden = true;
        box().replaceChildren();
        chosen = -1;
        field().removeAttribute("aria-activedescendant");
        field().removeAttribute("aria-controls");
    };

    const choose = (place) => {
        const all = options();
        if (!all.length) return;
        chosen = (place + all.length) % all.length;
        all.forEach((option, number) => option.setAttribute("aria-selected", String(number === chosen)));
        field().setAttribute("aria-activedescendant", all[chosen].id);
        all[chosen].scrollIntoView({ block: "nearest" });
    };

    const look = async (text) => {
        const url = one("#canned-open")?.dataset.url;
        if (!url) return;
        const mine = ++asked;
        const answer = await fetch(`${url}?q=${encodeURIComponent(text)}`, { headers: { "HX-Request": "true" } });
        if (mine !== asked || !answer.ok || answer.redirected) return;
        const html = await answer.text();
        if (mine !== asked) return;
        box().innerHTML = html;
        box().hidden = false;
        if (options().length) field().setAttribute("aria-controls", "canned-list");
        choose(0);
    };

    const insert = (option) => {
        const text = field();
        const caret = text.selectionStart;
        const begin = caret - (typed() ?? "").length - 1;
        text.setRangeText(option.dataset.text, begin, caret, "end");
        close();
        text.dispatchEvent(new Event("input", { bubbles: true }));
        text.focus();
    };

    document.addEventListener("input", (event) => {
        if (event.target !== field()) return;
        const text = typed();
        if (text === null) return close();
        window.clearTimeout(waits);
        waits = window.setTimeout(() => look(text), 120);
    });
    document.addEventListener("keydown", (event) => {
        if (event.target !== field() || !box() || box().hidden) return;
        const keys = { ArrowDown: () => choose(chosen + 1), ArrowUp: () => choose(chosen - 1), Escape: close };
        const does = keys[event.key];
        if (does) {
            event.preventDefault();
            does();
        } else if (["Enter", "Tab"].includes(event.key) && !event.ctrlKey && !event.metaKey && options()[chosen]) {
            event.preventDefault();
            insert(options()[chosen]);
        }
    });
    document.addEventListener("mousedown", (event) => {
        const option = event.target.closest('#canned [role="option"]');
        if (option) {
            event.preventDefault();
            insert(option);
        } else if (!event.target.closest("#canned, #canned-open, #reply-content")) close();
    });
    document.addEventListener("click", (event) => {
        if (!event.target.closest("#canned-open")) return;
        const text = field();
        text.focus();
        if (typed() === null) {
            const before = text.value.slice(0, text.selectionStart);
            text.setRangeText(before && !/\s$/.test(before) ? " /" : "/", text.selectionStart, text.selectionEnd, "end");
        }
        text.dispatchEvent(new Event("input", { bubbles: true }));
    });
    const show = () => {
        const button = one("#canned-open");
        if (button) button.hidden = false;
        field()?.setAttribute("aria-autocomplete", "list");
    };
    document.addEventListener("DOMContentLoaded", show);
    document.addEventListener("htmx:afterSettle", show);
    document.addEventListener("htmx:oobAfterSwap", show);
})();
