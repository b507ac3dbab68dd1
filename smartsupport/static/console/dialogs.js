/* Every dialog of the console takes the keyboard, keeps it, and gives it back to what opened it (WAI-ARIA APG, modal
   dialogs): the theme's own, its filters and its search. The browser's own <dialog> only needs its Tab kept inside. */
"use strict";

(() => {
    const STOPS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
    const byId = (id) => document.getElementById(id);
    const shown = (one) => Boolean(one?.isConnected) && one.getClientRects().length > 0;
    const theme = () => window.Alpine.$data(document.documentElement);
    const stops = (within) => [...within.querySelectorAll(STOPS)].filter((one) => shown(one) && !one.disabled);

    /* `frame`: what is hidden and shown; `body`: what the keyboard stays in. */
    const kinds = () => {
        const body = byId("modal-content");
        const filters = byId("changelist-filter");
        const search = byId("search-input-command");
        const overlay = search?.closest("[x-show]");
        return [
            body && { frame: body.parentElement, body, close: () => Object.assign(theme(), { openModal: false }) },
            filters && { frame: filters, body: filters, name: "Filters", close: () => Object.assign(theme(), { filterOpen: false }) },
            overlay && { frame: overlay, body: overlay, name: "Search", close: () => window.Alpine.$data(overlay).handleOutsideClick() },
        ].filter(Boolean);
    };
    let known = [];
    const open = () => known.find((one) => shown(one.frame));

    /* What was pressed last: not every browser gives a button the focus that is clicked. */
    let pressed = null;
    const pressable = (event) => {
        if (!open()) pressed = event.target.closest?.("a, button, summary, [role=button]") || null;
    };

    /* What opened it may have been put there anew meanwhile. */
    const again = (opener) => {
        if (shown(opener)) return opener;
        const address = opener?.getAttribute?.("hx-get");
        const same = (opener?.id && byId(opener.id)) || (address && document.querySelector(`[hx-get="${CSS.escape(address)}"]`));
        return shown(same) ? same : byId("console-main");
    };

    /* The first field with a fault; else the first that must be filled in; else the first of several. A single field that
       may stay empty is left to whoever wants it: then what sends is next, and where nothing is asked, the heading. */
    const entrance = (body) => {
        const fields = stops(body).filter((one) => one.matches("input, select, textarea"));
        const title = body.querySelector("h1, h2");
        const faulty = fields.find((one) => one.matches("[aria-invalid=true], .errors *"));
        const chosen = faulty || fields.find((one) => one.required) || (fields.length > 1 && fields[0]);
        if (chosen) return chosen;
        if (fields.length) return stops(body).find((one) => one.matches("[type=submit]")) || fields[0];
        title?.setAttribute("tabindex", "-1");
        return title || stops(body)[0];
    };

    const enter = (kind) => {
        kind.body.setAttribute("role", "dialog");
        kind.body.setAttribute("aria-modal", "true");
        kind.body.setAttribute("aria-label", kind.name || kind.body.querySelector("h1, h2")?.textContent.trim() || "Dialog");
        entrance(kind.body)?.focus();
    };

    const moved = (kind) => {
        const now = shown(kind.frame);
        if (now === Boolean(kind.opener)) return;
        const active = document.activeElement;
        const nowhere = !active || active === document.body || kind.body.contains(active);
        if (now) {
            kind.opener = nowhere ? pressed || document.body : active;
            if (kind.name) enter(kind);
        } else {
            const opener = kind.opener;
            kind.opener = null;
            // Where the page has put the keyboard elsewhere by itself, it stays there.
            if (nowhere) again(opener)?.focus({ preventScroll: true });
        }
    };

    const stay = (event, body) => {
        const all = stops(body);
        const [first, last] = [all[0], all.at(-1)];
        const active = document.activeElement;
        const outside = !body.contains(active);
        const atEdge = event.shiftKey ? active === first || !all.includes(active) : active === last;
        if (!outside && !atEdge) return;
        event.preventDefault();
        (event.shiftKey ? last : first)?.focus();
    };

    const key = (event) => {
        const kind = open();
        const body = kind?.body || document.querySelector("dialog:modal");
        if (!body) return;
        if (event.key === "Tab") stay(event, body);
        if (!kind) return;
        if (event.key === "Escape" && kind.name) kind.close(); // the theme closes the other one
        if (event.key !== "Enter") return;
        // A key that is still held from opening it decides nothing.
        if (event.repeat) event.preventDefault();
        else if (event.ctrlKey || event.metaKey) body.querySelector("form[method=post]")?.requestSubmit();
    };

    const begin = () => {
        known = kinds();
        for (const kind of known) {
            new MutationObserver(() => moved(kind)).observe(kind.frame, { attributes: true, attributeFilter: ["style", "class"] });
        }
    };
    document.addEventListener("click", pressable, true);
    document.addEventListener("keydown", key);
    // What was fetched is entered when it is ready: a form that was sent before would be sent as an ordinary one.
    document.addEventListener("htmx:afterSettle", (event) => {
        const kind = known.find((one) => !one.name && one.body.contains(event.target));
        if (kind) requestAnimationFrame(() => shown(kind.frame) && enter(kind));
    });
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
    else begin();
})();
