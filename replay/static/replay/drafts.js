/* What is written and not sent yet survives a reload, in this tab only: one draft for the reply, one for the note. */
"use strict";

(() => {
    const page = () => document.querySelector(".desk-page");
    const key = (field) => `draft:${field.dataset.draft}:${page().dataset.conversation}`;
    const fields = (within = document) => [...within.querySelectorAll("textarea[data-draft]")];

    const grow = (field) => {
        field.style.height = "auto";
        field.style.height = `${Math.min(field.scrollHeight + 2, window.innerHeight * 0.4)}px`;
    };

    const keep = (field) => {
        try {
            if (field.value) sessionStorage.setItem(key(field), field.value);
            else sessionStorage.removeItem(key(field));
        } catch {
            /* no room, or not allowed: nothing is lost but the draft */
        }
    };

    const restore = () => {
        for (const field of fields()) {
            let kept = null;
            try {
                kept = sessionStorage.getItem(key(field));
            } catch {
                kept = null;
            }
            if (kept && !field.value) field.value = kept;
            grow(field);
        }
    };

    document.addEventListener("input", (event) => {
        if (!event.target.matches("textarea[data-draft]")) return;
        keep(event.target);
        grow(event.target);
    });
    for (const kind of ["reply", "note"]) {
        document.addEventListener(`desk-sent-${kind}`, () => {
            try {
                sessionStorage.removeItem(`draft:${kind}:${page().dataset.conversation}`);
            } catch {
                /* as above */
            }
        });
    }
    document.addEventListener("htmx:afterSettle", restore);
    document.addEventListener("htmx:oobAfterSwap", restore);
    document.addEventListener("DOMContentLoaded", restore);
})();
