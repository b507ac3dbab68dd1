/* The replay of a conversation that goes on: while its end is in view, or its last step is the one that is shown, new steps
   are put below. It stops when somebody scrolls back or moves, and goes on when they switch it on again. */
"use strict";

(() => {
    const root = document.querySelector("[data-player]");
    const label = document.getElementById("player-follow");
    if (!root || !label) return;
    const EVERY = 2000;
    const HIDDEN_EVERY = 15000;
    const NEAR = 48;
    const byId = (id, within = document) => within.querySelector(`#${id}`);
    const box = root.querySelector(".player-left");
    const follows = label.querySelector("input");
    const lines = () => [...root.querySelectorAll("#player-list [data-step]")];
    const last = () => lines().at(-1);
    const shown = () => byId("player-detail").dataset.step;
    const complete = () => !root.querySelector("#player-list [data-go=later]");
    const bottom = () => box.scrollHeight - box.scrollTop - box.clientHeight <= NEAR;
    let timer = 0;
    let asking = false;

    const plan = (soon = EVERY) => {
        clearTimeout(timer);
        if (follows.checked) timer = setTimeout(ask, document.hidden ? HIDDEN_EVERY : soon);
    };
    const stop = () => {
        follows.checked = false;
        clearTimeout(timer);
    };
    const say = (text) => {
        const fault = byId("player-fault");
        fault.textContent = text;
        fault.hidden = !text;
    };

    const put = (news) => {
        const atEnd = shown() === (last()?.dataset.step ?? "");
        const fresh = [...news.querySelector("ol").children];
        const count = news.querySelectorAll("[data-step]").length;
        root.dataset.seen = news.dataset.seen;
        byId("player-totals").replaceChildren(...news.querySelector("dl").childNodes);
        const range = byId("player-range");
        range.max = news.dataset.total;
        byId("player-place").textContent = `${shown() || range.value} / ${news.dataset.total}`;
        if (!count) return;
        byId("player-list").querySelector(".console-empty")?.remove();
        root.querySelector(".player-steps").append(...fresh);
        byId("player-told").textContent = count === 1 ? "One new step." : `${count} new steps.`;
        if (atEnd) root.dispatchEvent(new CustomEvent("player-show", { detail: last().href }));
        box.scrollTop = box.scrollHeight;
    };

    const ask = async () => {
        if (asking || !follows.checked) return;
        if (!complete()) return plan(); // the end is on its way
        asking = true;
        let soon = EVERY;
        try {
            const url = new URL(root.dataset.news, location.href);
            for (const name of ["kind", "agent", "failed"]) {
                for (const value of new URLSearchParams(location.search).getAll(name)) url.searchParams.append(name, value);
            }
            url.searchParams.set("after", root.dataset.seen);
            url.searchParams.set("step", shown());
            const list = byId("player-list").firstChild;
            const answer = await fetch(url, { credentials: "same-origin" });
            if (answer.redirected || answer.status === 403) {
                stop();
                say("You are signed out, or may no longer see this. Reload the page.");
            } else if (!answer.ok) throw new Error(String(answer.status));
            else {
                say("");
                const news = answer.status === 200 && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#player-news");
                // Meanwhile somebody may have moved, and another list may stand there.
                if (news && !byId("player-range")) location.reload();
                else if (news && follows.checked && list === byId("player-list").firstChild) {
                    put(news);
                    if ("more" in news.dataset) soon = 0;
                }
            }
        } catch {
            say("New steps could not be loaded. Trying again.");
        }
        asking = false;
        plan(soon);
    };

    follows.addEventListener("change", () => {
        if (!follows.checked) return stop();
        if (complete()) box.scrollTop = box.scrollHeight;
        else root.dispatchEvent(new CustomEvent("player-show", { detail: root.querySelector("[data-go=last]").href }));
        plan(0);
    });
    root.addEventListener("player-moves", (event) => event.detail === "person" && stop());
    box.addEventListener("scroll", () => follows.checked && !bottom() && stop(), { passive: true });
    document.addEventListener("visibilitychange", () => document.hidden || plan(0));

    label.hidden = false;
    follows.checked = complete() && (bottom() || shown() === last()?.dataset.step);
    plan();
})();
