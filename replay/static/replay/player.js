/* The replay without reloads: keys, the scrubber, and links put the pieces of the next page in place. Whatever is shown
   is a page with an address of its own; without this script the same links and forms load it whole. */
"use strict";

(() => {
    const root = document.querySelector("[data-player]");
    if (!root) return;
    const byId = (id, within = document) => within.querySelector(`#${id}`);
    const told = byId("player-told");
    const fault = byId("player-fault");
    const range = byId("player-range");
    let running = null;

    const mark = (seq) => {
        for (const line of root.querySelectorAll("[data-step][href]")) {
            if (line.dataset.step === seq) line.setAttribute("aria-current", "step");
            else line.removeAttribute("aria-current");
        }
    };

    /* Inside the list alone: the page itself stays where it is. */
    const reveal = (list) => {
        const line = list.querySelector("[aria-current]");
        const box = list.closest(".player-left");
        if (!line || !box) return;
        const top = line.getBoundingClientRect().top - box.getBoundingClientRect().top;
        const room = box.clientHeight - line.offsetHeight;
        if (top < 0 || top > room) box.scrollTop += top - room / 2;
    };

    const take = (page) => {
        const detail = byId("player-detail", page);
        const fresh = byId("player-list", page);
        if (!detail || !fresh) throw new Error("no replay");
        const list = byId("player-list");
        const seq = detail.dataset.step;
        const focused = document.activeElement;
        const inList = list.contains(focused) && focused.dataset.step;
        // A list that has the step stays where it is; only its addresses are those of another filter or not.
        const here = seq && list.querySelector(`[data-step="${seq}"]`);
        const same = here && here.getAttribute("href") === fresh.querySelector(`[data-step="${seq}"]`)?.getAttribute("href");
        if (!same) {
            list.replaceChildren(...fresh.childNodes);
            root.dataset.seen = page.querySelector("[data-player]").dataset.seen;
        }
        byId("player-detail").dataset.step = seq;
        byId("player-detail").replaceChildren(...detail.childNodes);
        for (const id of ["player-totals", "player-nav"]) {
            const old = byId(id);
            const changed = byId(id, page);
            if (old && changed) old.replaceChildren(...changed.childNodes);
        }
        mark(seq);
        reveal(byId("player-list"));
        if (inList) byId("player-list").querySelector("[aria-current]")?.focus({ preventScroll: true });
        const moved = byId("player-range", page);
        if (range && moved) {
            range.max = moved.max;
            range.value = moved.value;
            range.setAttribute("aria-valuetext", moved.getAttribute("aria-valuetext"));
            byId("player-place").textContent = byId("player-place", page).textContent;
            told.textContent = moved.getAttribute("aria-valuetext");
        }
        const near = root.querySelector("#player-filter input[name=near]");
        if (near && seq) near.value = seq;
    };

    /* The address that stays: the step by its number, with the filter. */
    const address = (url) => {
        const seq = byId("player-detail").dataset.step;
        const kept = new URL(url, location.href);
        for (const name of ["near", "turn", "after", "before", "step"]) kept.searchParams.delete(name);
        if (seq) kept.searchParams.set("step", seq);
        return kept;
    };

    /* `by`: who moves; "person", or "news" where what came last is shown by itself. */
    const go = async (href, keep = "push", by = "person") => {
        root.dispatchEvent(new CustomEvent("player-moves", { detail: by }));
        running?.abort();
        const mine = (running = new AbortController());
        const detail = byId("player-detail");
        detail.setAttribute("aria-busy", "true");
        fault.hidden = true;
        try {
            const answer = await fetch(href, { signal: mine.signal, credentials: "same-origin" });
            if (answer.redirected && new URL(answer.url).pathname.endsWith("/login/")) {
                location.reload();
                return;
            }
            if (!answer.ok) throw new Error(String(answer.status));
            take(new DOMParser().parseFromString(await answer.text(), "text/html"));
            if (keep === "push") history.pushState(null, "", address(href));
            else if (keep === "replace") history.replaceState(null, "", address(href));
        } catch (error) {
            if (error.name === "AbortError") return;
            fault.textContent = "This step could not be loaded. Try again, or reload the page.";
            fault.hidden = false;
            if (range) range.value = detail.dataset.step || range.value;
        }
        if (running === mine) {
            running = null;
            detail.removeAttribute("aria-busy");
        }
    };

    root.addEventListener("click", (event) => {
        const link = event.target.closest("a[href]");
        const plain = event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
        if (!link || plain || !(link.dataset.step || link.dataset.go)) return;
        event.preventDefault();
        go(link.href);
    });
    root.addEventListener("player-show", (event) => go(event.detail, "replace", "news"));
    addEventListener("popstate", () => go(location.href, "none"));

    if (range) {
        let waits = 0;
        const there = () => {
            clearTimeout(waits);
            const url = new URL(location.href);
            for (const name of ["step", "turn", "after", "before"]) url.searchParams.delete(name);
            url.searchParams.set("near", range.value);
            if (range.value !== byId("player-detail").dataset.step) go(url.href, "replace");
        };
        range.addEventListener("input", () => {
            byId("player-place").textContent = `${range.value} / ${range.max}`;
            range.setAttribute("aria-valuetext", `Step ${range.value} of ${range.max}`);
            clearTimeout(waits);
            waits = setTimeout(there, 150);
        });
        range.addEventListener("change", there);
    }

    const follow = (name) => {
        const link = root.querySelector(`a[data-go="${name}"]`);
        if (link) go(link.href, "replace");
        else told.textContent = name.startsWith("previous") ? "There is nothing before this." : "There is nothing after this.";
    };
    const open = (id, focus) => {
        const details = byId(id);
        if (!details) return;
        details.open = focus ? true : !details.open;
        details.querySelector(focus || "summary").focus();
    };
    const KEYS = {
        j: () => follow("next"),
        ArrowRight: () => follow("next"),
        k: () => follow("previous"),
        ArrowLeft: () => follow("previous"),
        t: () => follow("next-turn"),
        T: () => follow("previous-turn"),
        g: () => follow("first"),
        G: () => follow("last"),
        "/": () => open("player-filter", "input"),
        "?": () => open("player-help"),
    };
    document.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
        const at = event.target;
        if (at.isContentEditable || at.closest("textarea, select, dialog, input:not([type=range]):not([type=checkbox])")) return;
        if (at.type === "range" && event.key.startsWith("Arrow")) return;
        const scrolls = at.closest("pre, .player-said") && event.key.startsWith("Arrow");
        let act = scrolls ? null : KEYS[event.key];
        if (at.closest("#player-list") && event.key === "ArrowDown") act = KEYS.j;
        if (at.closest("#player-list") && event.key === "ArrowUp") act = KEYS.k;
        if (!act) return;
        event.preventDefault();
        act();
    });

    reveal(byId("player-list"));
    root.dataset.player = "ready";
})();
