/* The page of a conversation: what was opened stays open while it updates itself, the end stays in sight, and a message
   and a note are two forms of which one is seen at a time. Everything works without it. */
"use strict";

(() => {
    const one = (selector) => document.querySelector(selector);
    const all = (selector) => [...document.querySelectorAll(selector)];
    const kept = (store, name, value) => {
        try {
            if (value === undefined) return store.getItem(name);
            if (value === null) store.removeItem(name);
            else store.setItem(name, value);
        } catch {
            /* remembering is a courtesy */
        }
        return null;
    };
    const opened = (details) => `open:${one(".desk-page").dataset.conversation}:${details.id}`;

    /* Steps: each group as it was left; all of them where somebody wants to see all. */
    const showSteps = () => {
        const every = kept(localStorage, "desk:steps") === "all";
        for (const details of all("#timeline details[id]")) {
            const own = kept(sessionStorage, opened(details));
            details.open = own ? own === "1" : every && details.matches(".desk-steps");
        }
        showToggle();
    };
    const showToggle = () => {
        const groups = all("#timeline .desk-steps");
        const legend = one(".console-legend");
        if (!legend) return;
        let button = one("#all-steps");
        if (!button) {
            button = document.createElement("button");
            button.id = "all-steps";
            button.type = "button";
            button.className = "console-link";
            legend.append(button);
        }
        button.hidden = !groups.length;
        button.textContent = kept(localStorage, "desk:steps") === "all" ? "Fold all steps" : "Open all steps";
    };
    document.addEventListener("click", (event) => {
        const summary = event.target.closest("#timeline summary");
        if (summary) {
            const details = summary.parentElement;
            kept(sessionStorage, opened(details), details.open ? "0" : "1"); // it opens after this
        }
        if (event.target.closest("#all-steps")) {
            kept(localStorage, "desk:steps", kept(localStorage, "desk:steps") === "all" ? null : "all");
            for (const details of all("#timeline details.desk-steps")) kept(sessionStorage, opened(details), null);
            showSteps();
        }
    });

    /* A link to a step inside a group opens the group. */
    const showStep = () => {
        const step = /^#step-\d+$/.test(location.hash) ? one(location.hash) : null;
        if (!step) return false;
        for (let up = step.closest("details"); up; up = up.parentElement.closest("details")) up.open = true;
        step.classList.add("desk-found");
        step.scrollIntoView({ block: "center" });
        return true;
    };
    window.addEventListener("hashchange", showStep);

    /* The end of the conversation stays in sight of who was there. */
    const below = () => one(".desk-main").getBoundingClientRect().bottom - window.innerHeight;
    const atEnd = () => below() <= 80;
    const toEnd = () => window.scrollBy(0, Math.max(0, below() + 8));
    let wasAtEnd = false;
    document.addEventListener("htmx:beforeSwap", (event) => {
        if (event.detail.target?.id === "timeline") wasAtEnd = atEnd();
    });
    document.addEventListener("htmx:afterSettle", () => {
        showSteps();
        if (wasAtEnd) toEnd();
        wasAtEnd = false;
    });

    /* Reply and note. The tab that was used last is shown again. */
    const select = (kind, focus) => {
        const composer = one("#composer");
        if (!composer) return;
        composer.dataset.kind = kind;
        for (const name of ["reply", "note"]) {
            const tab = one(`#tab-${name}`);
            tab.setAttribute("aria-selected", String(name === kind));
            tab.tabIndex = name === kind ? 0 : -1;
            one(`#panel-${name}`).hidden = name !== kind;
        }
        kept(sessionStorage, `tab:${one(".desk-page").dataset.conversation}`, kind);
        if (focus) one(`#tab-${kind}`).focus();
    };
    document.addEventListener("click", (event) => {
        const tab = event.target.closest('#composer [role="tab"]');
        if (!tab) return;
        select(tab.id.replace("tab-", ""));
        one(`#${tab.getAttribute("aria-controls")} textarea`)?.focus();
    });
    document.addEventListener("keydown", (event) => {
        const tab = event.target.closest?.('#composer [role="tab"]');
        if (tab && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
            event.preventDefault();
            select(tab.id === "tab-note" ? "reply" : "note", true);
        }
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("textarea[data-draft]")) {
            event.preventDefault();
            event.target.form.requestSubmit();
        }
    });

    /* A form with text in it is not taken away when a colleague hands the conversation back: sending it is refused. */
    document.addEventListener("htmx:oobBeforeSwap", (event) => {
        if (event.detail.target?.id !== "composer-reply") return;
        const text = one("#reply-content");
        if (!text?.value.trim()) return;
        event.detail.shouldSwap = false;
        const told = one("#reply-told");
        told.className = "desk-fault";
        told.textContent = "A colleague handed it back or resolved it meanwhile. Take it over to send this.";
    });

    /* A preview of what is no longer there says nothing. */
    document.addEventListener("input", (event) => {
        if (event.target.id === "reply-content") one("#reply-preview")?.replaceChildren();
    });

    const focusAgain = (id) => () => {
        window.htmx.trigger("#timeline", "refresh");
        window.setTimeout(() => document.getElementById(id)?.focus(), 0);
        const preview = one("#reply-preview");
        if (preview) preview.replaceChildren();
    };
    document.addEventListener("desk-sent-reply", focusAgain("reply-content"));
    document.addEventListener("desk-sent-note", focusAgain("note-content"));

    /* Tags that fit what is typed. */
    let asked = 0;
    const suggest = async (field) => {
        const mine = ++asked;
        const answer = await fetch(`${field.dataset.words}?q=${encodeURIComponent(field.value)}`);
        if (mine !== asked || !answer.ok || answer.redirected) return;
        const { tags } = await answer.json();
        one("#tag-words").replaceChildren(...tags.map((tag) => Object.assign(document.createElement("option"), { value: tag })));
    };
    for (const kind of ["input", "focusin"]) {
        document.addEventListener(kind, (event) => {
            if (event.target.id === "tag-new") suggest(event.target);
        });
    }
    document.addEventListener("htmx:afterRequest", (event) => {
        if (event.target.id === "tag-form" && event.detail.successful) {
            event.target.reset();
            one("#tag-new").focus();
        }
    });

    document.addEventListener("DOMContentLoaded", () => {
        const tabs = one("#composer [role='tablist']");
        if (tabs) {
            tabs.hidden = false;
            select(kept(sessionStorage, `tab:${one(".desk-page").dataset.conversation}`) === "note" ? "note" : "reply");
        }
        showSteps();
        if (!showStep() && one("#timeline .timeline-turn") && !location.search.includes("page=")) toEnd();
    });
})();
