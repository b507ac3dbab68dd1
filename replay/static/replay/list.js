/* The list of conversations: it stays where it is while it updates itself. Everything works without it. */
"use strict";

(() => {
    const one = (selector) => document.querySelector(selector);
    const boxes = () => [...document.querySelectorAll('#conversations tbody input[name="id"]')];
    const ticked = new Set();
    let kept = null;

    const showTicked = () => {
        const form = one("#tag-many");
        const all = boxes();
        const count = all.filter((box) => box.checked).length;
        const whole = one("#tick-all");
        if (whole) {
            whole.checked = all.length > 0 && count === all.length;
            whole.indeterminate = count > 0 && count < all.length;
        }
        if (!form) return;
        form.classList.toggle("desk-bulk-on", count > 0);
        one("#ticked").textContent = count ? `${count} ticked` : "Tick conversations to tag them together.";
    };

    document.addEventListener("change", (event) => {
        const field = event.target;
        if (field.id === "tick-all") for (const box of boxes()) box.checked = field.checked;
        if (field.id === "tick-all" || field.name === "id") {
            ticked.clear();
            for (const box of boxes()) if (box.checked) ticked.add(box.value);
            showTicked();
        }
        if (field.closest("#desk-filters") && field.matches("select")) field.form.requestSubmit();
    });

    /* An empty filter has no place in the address. */
    document.addEventListener("submit", (event) => {
        if (event.target.id === "desk-filters") {
            for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
        }
        if (event.target.id === "tag-many" && !boxes().some((box) => box.checked)) {
            event.preventDefault();
            one("#ticked").textContent = "Tick at least one conversation first.";
        }
    });
    window.addEventListener("pageshow", () => {
        for (const field of document.querySelectorAll("#desk-filters [disabled]")) field.disabled = false;
        showTicked();
    });

    /* What has the focus, and the row at the top of the window, which is to stay there when others come before it. */
    const path = (element) => {
        const row = element.closest("tr[id]");
        if (row) return { row: row.id, place: [...row.querySelectorAll("a, input")].indexOf(element) };
        return { href: element.getAttribute("href"), id: element.id };
    };
    const focusOn = ({ row, place, href, id }) => {
        const again = row
            ? document.getElementById(row)?.querySelectorAll("a, input")[place]
            : id
              ? document.getElementById(id)
              : [...document.querySelectorAll("#conversations a")].find((link) => link.getAttribute("href") === href);
        again?.focus({ preventScroll: true });
    };

    document.addEventListener("htmx:beforeSwap", (event) => {
        if (event.detail.target?.id !== "conversations" || !event.detail.shouldSwap) return;
        const within = document.activeElement?.closest("#conversations") ? path(document.activeElement) : null;
        const top = [...document.querySelectorAll("#conversations tbody tr")].find(
            (row) => row.getBoundingClientRect().bottom > 0,
        );
        const scrolled = window.scrollY > 200 && top;
        kept = { within, anchor: scrolled ? { id: top.id, y: top.getBoundingClientRect().top } : null };
    });
    document.addEventListener("htmx:afterSwap", () => {
        if (!kept) return;
        const { within, anchor } = kept;
        kept = null;
        for (const box of boxes()) box.checked = ticked.has(box.value);
        showTicked();
        if (anchor) {
            const row = document.getElementById(anchor.id);
            if (row) window.scrollBy(0, row.getBoundingClientRect().top - anchor.y);
        }
        if (within) focusOn(within);
    });
})();
