/* The imports' pages. Everything works without it; it opens rows in place, counts ticks, and shows what was dropped. */
"use strict";

(() => {
    const one = (selector, within = document) => within.querySelector(selector);
    const all = (selector, within = document) => [...within.querySelectorAll(selector)];
    const counted = (number) => number.toLocaleString("en-US");

    /* The form: a file that was chosen or dropped, and the fields of the chosen way to sign in. */
    const showFile = (field) => {
        const text = one(".imports-drop-text", field.closest(".imports-drop"));
        text.textContent = field.files.length ? field.files[0].name : text.dataset.empty;
    };

    const showSignIn = () => {
        for (const choice of all(".imports-sign-in select")) {
            for (const fields of all("[data-for]", choice.closest(".imports-sign-in"))) {
                fields.hidden = fields.dataset.for !== choice.value;
            }
        }
    };

    /* The table: which operations a change is for. */
    const ticks = () => all('#review tbody input[name="index"]:not(:disabled)');

    const showTicked = () => {
        const form = one("#bulk");
        if (!form) return;
        const boxes = ticks();
        const ticked = boxes.filter((box) => box.checked).length;
        const matching = Number(one("#review").dataset.matching);
        const everything = form.elements.all.value === "1";
        const whole = one("#tick-all");
        whole.checked = boxes.length > 0 && ticked === boxes.length;
        whole.indeterminate = ticked > 0 && ticked < boxes.length;
        one("#ticked").textContent = everything
            ? `All ${counted(matching)} that match`
            : ticked
              ? `${counted(ticked)} ticked`
              : "Tick operations to change them together.";
        const more = one("#tick-matching");
        if (more) more.hidden = everything || !whole.checked;
        form.classList.toggle("imports-bulk-on", ticked > 0);
    };

    const tickedOne = () => {
        const form = one("#bulk");
        if (form) form.elements.all.value = "";
        showTicked();
    };

    const toggleDetails = async (link) => {
        const row = document.getElementById(link.getAttribute("aria-controls"));
        const opened = link.getAttribute("aria-expanded") === "true";
        link.setAttribute("aria-expanded", String(!opened));
        row.hidden = opened;
        const cell = one("td", row);
        if (opened || cell.childElementCount) return;
        cell.setAttribute("aria-busy", "true");
        await window.htmx.ajax("GET", link.href, { target: cell, swap: "innerHTML" });
        cell.removeAttribute("aria-busy");
    };

    /* The theme's own listener looks for a text field that stands beside file fields of its own. */
    document.addEventListener(
        "change",
        (event) => {
            if (!event.target.matches(".imports-file")) return;
            event.stopPropagation();
            showFile(event.target);
        },
        true,
    );

    document.addEventListener("change", (event) => {
        const field = event.target;
        if (field.matches(".imports-sign-in select")) showSignIn();
        if (field.id === "tick-all") {
            for (const box of ticks()) box.checked = field.checked;
            tickedOne();
        }
        if (field.name === "index") tickedOne();
    });

    document.addEventListener("click", (event) => {
        const link = event.target.closest(".imports-open");
        if (link && !event.metaKey && !event.ctrlKey) {
            event.preventDefault();
            toggleDetails(link);
        }
        if (event.target.id === "tick-matching") {
            one("#bulk").elements.all.value = "1";
            showTicked();
            one("#ticked").focus();
        }
    });

    /* What looks like a button is pressed like one. */
    document.addEventListener("keydown", (event) => {
        if (event.key === " " && event.target.matches?.('#content-main a[role="button"]')) {
            event.preventDefault();
            event.target.click();
        }
    });

    for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
        document.addEventListener(kind, (event) => {
            const zone = event.target.closest?.(".imports-drop");
            zone?.classList.toggle("imports-drop-over", kind === "dragenter" || kind === "dragover");
        });
    }

    /* A change was saved: its dialog closes, and the keyboard goes on where it was. */
    document.addEventListener("review-saved", (event) => {
        window.Alpine.$data(document.documentElement).openModal = false;
        const index = event.detail.index;
        const again = Number.isInteger(index) ? one(`#op-${index} .imports-edit`) : null;
        (again || one("#review-told"))?.focus({ preventScroll: Boolean(again) });
    });

    const begin = () => {
        showSignIn();
        showTicked();
    };
    document.addEventListener("htmx:afterSettle", begin);
    begin();
})();
