/* The approvals inbox: rows that keep themselves true, the open one, ticks, keys. No key decides: each opens a dialog. */
"use strict";

(() => {
    const list = document.getElementById("inbox-rows");
    if (!list) return;
    const byId = (id) => document.getElementById(id);
    const detail = byId("inbox-detail");
    const frame = detail.parentElement;
    const many = byId("inbox-many"); // only for those who may decide
    const modal = byId("modal-content");
    const narrow = window.matchMedia("(max-width: 63.99rem)");
    const nothing = detail.innerHTML;
    const EVERY = 2500;
    const HIDDEN_EVERY = 10000;
    const AT_MOST = 25;
    let open = "";
    let current = "";
    let state = "";
    let busy = false;
    let again = false;
    let timer = 0;
    const own = new Set();

    const rows = () => [...list.children];
    const rowOf = (id) => (id ? byId(`row-${id}`) : null);
    const waits = (row) => row.hasAttribute("data-waits");
    const linkOf = (row) => row.querySelector(".inbox-open");
    const tickOf = (row) => row.querySelector(".inbox-tick input");
    const modalOpen = () => modal && modal.getClientRects().length > 0;

    const say = (text, bad = false) => {
        const line = byId("inbox-said");
        line.textContent = line.title = text;
        line.classList.toggle("inbox-said-bad", bad);
    };

    const offline = (text) => {
        let line = byId("console-offline");
        if (!line && !text) return;
        if (!line) {
            line = document.createElement("p");
            line.id = "console-offline";
            line.className = "console-offline";
            line.setAttribute("role", "status");
            document.body.append(line);
        }
        line.textContent = text;
        line.hidden = !text;
    };

    /* The open one */
    const place = () => {
        const row = rowOf(open);
        const where = narrow.matches && row ? row : frame;
        if (detail.parentElement !== where) where.append(detail);
        detail.hidden = narrow.matches && !row;
    };
    narrow.addEventListener("change", place);

    const mark = () => {
        for (const row of rows()) {
            const link = linkOf(row);
            link.setAttribute("aria-expanded", String(row.dataset.id === open));
            link.setAttribute("aria-controls", "inbox-detail");
            row.classList.toggle("inbox-now", row.dataset.id === open);
        }
    };

    const close = ({ refocus = true } = {}) => {
        const row = rowOf(open);
        if (open) fetch(`${here(row)}?left=1`, { credentials: "same-origin", keepalive: true }).catch(() => {});
        open = "";
        detail.innerHTML = nothing;
        place();
        mark();
        if (row && refocus) linkOf(row).focus();
    };

    const here = (row) => linkOf(row).pathname.replace(/change\/$/, "here/");

    const show = async (row) => {
        if (open && open !== row.dataset.id) close({ refocus: false });
        open = current = row.dataset.id;
        mark();
        place();
        detail.setAttribute("aria-busy", "true");
        try {
            const answer = await fetch(linkOf(row).pathname.replace(/change\/$/, "detail/"), { credentials: "same-origin" });
            if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
            const html = await answer.text();
            if (open !== row.dataset.id) return false;
            detail.innerHTML = html;
            window.htmx.process(detail);
            byId("inbox-asked").focus({ preventScroll: !narrow.matches });
            if (!narrow.matches) detail.scrollTop = 0;
            return true;
        } catch {
            detail.innerHTML = '<p class="console-fault" role="alert">This could not be loaded. Open it again, or reload the page.</p>';
            return false;
        } finally {
            detail.removeAttribute("aria-busy");
        }
    };

    /* What became of the open one while it is read: said above it; what is read stays. */
    const notice = (row) => {
        const line = byId("inbox-changed");
        const shown = detail.querySelector("[data-version]");
        if (!line || !shown || shown.dataset.version === row.dataset.version) return;
        line.hidden = false;
        line.textContent = waits(row) ? "This has changed since you opened it. " : row.dataset.outcome;
        const buttons = detail.querySelector(".inbox-decide");
        if (!waits(row)) buttons?.remove();
        else {
            const button = document.createElement("button");
            button.type = "button";
            button.className = "console-link";
            button.textContent = "Show it as it is now";
            button.addEventListener("click", () => show(row));
            line.append(button);
        }
    };

    /* Rows from the server: changed ones in place, new ones at theirs. */
    const update = (row, fresh) => {
        const waited = waits(row);
        for (const name of ["class", "data-state", "data-version", "data-needed", "data-expires", "data-asked", "data-outcome"]) {
            row.setAttribute(name, fresh.getAttribute(name) ?? "");
        }
        row.toggleAttribute("data-waits", waits(fresh));
        const old = row.querySelector(".inbox-main");
        const focused = old.contains(document.activeElement);
        old.replaceWith(fresh.querySelector(".inbox-main"));
        const tick = row.querySelector(".inbox-tick");
        const onTick = tick?.contains(document.activeElement);
        if (tick && !waits(row)) tick.remove();
        if (focused || (onTick && !waits(row))) linkOf(row).focus({ preventScroll: true });
        if (row.dataset.id === open) notice(row);
        if (waited && !waits(row) && !own.delete(row.dataset.id)) say(`${row.dataset.outcome} – ${row.dataset.asked}`);
    };

    const merge = (html) => {
        const fresh = new DOMParser().parseFromString(html, "text/html").querySelector("ol");
        if (!fresh) return;
        state = fresh.dataset.state;
        const top = rows().find((row) => row.getBoundingClientRect().bottom > 0);
        const before = top?.getBoundingClientRect().top;
        const news = [];
        for (const row of [...fresh.children]) {
            const known = byId(row.id);
            if (known && known.dataset.state !== row.dataset.state) update(known, row);
            if (known) continue;
            const at = Date.parse(row.dataset.created);
            const later = rows().find((one) => Date.parse(one.dataset.created) > at);
            list.insertBefore(document.importNode(row, true), later || null);
            news.push(row);
        }
        if (top && window.scrollY > 0) window.scrollBy(0, top.getBoundingClientRect().top - before);
        byId("inbox-empty").hidden = list.children.length > 0;
        mark();
        times();
        ticked();
        if (news.length) tellNew(news);
    };

    const tellNew = (news) => {
        say(news.length === 1 ? `New approval: ${news[0].dataset.asked}` : `${news.length} new approvals.`);
        document.dispatchEvent(new CustomEvent("inbox-new"));
    };

    const poll = async () => {
        if (busy) {
            again = true;
            return;
        }
        clearTimeout(timer);
        busy = true;
        try {
            const asked = new URL(list.dataset.live, location.href);
            asked.searchParams.set("shown", rows().slice(-100).map((row) => row.dataset.id).join(","));
            asked.searchParams.set("state", state);
            if (open) asked.searchParams.set("open", open);
            const answer = await fetch(asked, { credentials: "same-origin" });
            if (answer.redirected) offline("You are signed out. Reload the page to sign in again.");
            else if (answer.status === 403) offline("You may no longer see this. Reload the page.");
            else if (!answer.ok) offline("The server could not update this page. Trying again.");
            else {
                if (answer.status !== 204) merge(await answer.text());
                offline("");
            }
        } catch {
            offline("The connection is gone. What you see may be old; trying again.");
        }
        busy = false;
        timer = setTimeout(poll, again ? 0 : document.hidden ? HIDDEN_EVERY : EVERY);
        again = false;
    };

    /* Age and what is left, in words and colour, as agents.admin.inbox_words has them. */
    const words = { new: "New", long: "Waits long", late: "Expires soon", over: "Time is over" };
    const left = (seconds) => {
        if (seconds <= 0) return "no time left";
        for (const [size, one, more] of [[86400, "day", "days"], [3600, "h", "h"], [60, "min", "min"]]) {
            const count = Math.floor(seconds / size);
            if (count >= 1) return `${count} ${count === 1 ? one : more} left`;
        }
        return "under a minute left";
    };
    const times = () => {
        for (const row of rows()) {
            if (!waits(row)) continue;
            const seconds = Math.floor((Date.parse(row.dataset.expires) - Date.now()) / 1000);
            const whole = Number(list.dataset.ttl);
            const how = seconds <= 0 ? "over" : seconds <= whole / 5 ? "late" : seconds <= whole / 2 ? "long" : "new";
            for (const one of Object.keys(words)) row.classList.toggle(`inbox-${one}`, one === how);
            const urgency = row.querySelector(".inbox-urgency");
            const rest = row.querySelector(".inbox-left");
            if (urgency && urgency.textContent !== words[how]) urgency.textContent = words[how];
            if (rest && rest.textContent !== left(seconds)) rest.textContent = left(seconds);
        }
    };
    setInterval(times, 10000);

    /* Ticks: calls of one tool that need as many people. */
    const ticked = () => {
        if (!many) return [];
        const chosen = rows().filter((row) => tickOf(row)?.checked);
        const first = chosen[0];
        for (const row of rows()) {
            const box = tickOf(row);
            if (!box || box.checked) continue;
            const fits = !first || (row.dataset.tool === first.dataset.tool && row.dataset.needed === first.dataset.needed);
            box.disabled = !fits || chosen.length >= AT_MOST;
        }
        many.hidden = chosen.length === 0;
        const mixed = chosen.some((row) => row.dataset.tool !== first.dataset.tool || row.dataset.needed !== first.dataset.needed);
        for (const button of many.querySelectorAll("[hx-get]")) button.disabled = mixed;
        const most = chosen.length >= AT_MOST ? ` At most ${AT_MOST} are decided at once.` : "";
        const rule = mixed ? " These are not alike any more: untick some." : " Only calls of the same tool go together.";
        const text = chosen.length ? `${chosen.length} ticked.${most || rule}` : "";
        if (byId("inbox-ticked").textContent !== text) byId("inbox-ticked").textContent = text;
        return chosen;
    };
    const untick = () => {
        for (const row of rows()) if (tickOf(row)) Object.assign(tickOf(row), { checked: false });
        for (const row of rows()) if (tickOf(row)) tickOf(row).disabled = false;
        ticked();
    };

    /* Keys */
    const now = () => rowOf(document.activeElement?.closest?.(".inbox-row")?.dataset.id) || rowOf(current) || rowOf(open);
    const move = (step) => {
        const all = rows();
        let at = all.indexOf(now());
        if (at < 0 && step < 0) at = all.length;
        for (at += step; at >= 0 && at < all.length; at += step) {
            if (!waits(all[at])) continue;
            current = all[at].dataset.id;
            linkOf(all[at]).focus({ preventScroll: true });
            all[at].querySelector(".inbox-head").scrollIntoView({ block: "nearest" });
            return;
        }
    };
    const toggle = (row) => (row.dataset.id === open ? close() : show(row));
    const dialog = async (kind) => {
        const row = now();
        if (!many || !row) return;
        if (row.dataset.id !== open && !(await show(row))) return;
        const button = detail.querySelector(`.inbox-decide .${kind}`);
        if (button) button.click();
        else say(waits(row) ? "This is not yours to decide this way: what is open says why." : row.dataset.outcome, true);
    };
    const tick = (row) => {
        const box = row && tickOf(row);
        if (!box) return;
        if (box.disabled) say("Only calls of one tool, that need as many people, are decided together: at most 25.", true);
        else box.click();
    };
    const help = () => byId("inbox-keys").showModal();
    const KEYS = {
        j: () => move(1),
        k: () => move(-1),
        o: () => now() && toggle(now()),
        a: () => dialog("console-approve"),
        e: () => dialog("console-write"),
        r: () => dialog("console-decline"),
        x: () => tick(now()),
        "?": help,
        Escape: () => open && close(),
    };
    const typing = (target) => target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox])");

    document.addEventListener("keydown", (event) => {
        if (modalOpen() || event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
        if (document.querySelector("dialog[open]")) return;
        const work = KEYS[event.key];
        if (!work) return;
        event.preventDefault();
        work();
    });

    document.addEventListener("inbox-decided", (event) => {
        const { text, ok, changed, close: shut } = event.detail;
        say(text, !ok);
        if (shut) {
            const id = open || current;
            window.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
            if (!changed) own.add(id);
            const row = rowOf(id);
            if (changed && row) show(row);
            else if (row) {
                current = id;
                close();
                const others = rows().filter((one) => waits(one) && one !== row);
                const next = others.find((one) => rows().indexOf(one) > rows().indexOf(row)) || others[0];
                if (next) {
                    current = next.dataset.id;
                    setTimeout(() => linkOf(next).focus({ preventScroll: true }), 100);
                }
            }
        } else {
            for (const row of ticked()) own.add(row.dataset.id);
            untick();
        }
        poll();
        document.dispatchEvent(new CustomEvent("console-counts"));
    });

    list.addEventListener("click", (event) => {
        const link = event.target.closest(".inbox-open");
        if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        toggle(link.closest(".inbox-row"));
    });
    list.addEventListener("focusin", (event) => {
        const row = event.target.closest(".inbox-row");
        if (row && !event.target.closest("#inbox-detail")) current = row.dataset.id;
    });
    list.addEventListener("change", (event) => {
        if (event.target.name === "id") ticked();
    });
    many?.querySelector("[data-untick]").addEventListener("click", untick);
    detail.addEventListener("click", (event) => {
        if (event.target.closest("[data-close]")) close();
    });
    document.addEventListener("submit", (event) => {
        if (event.target.id !== "inbox-filters") return;
        for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
    });
    window.addEventListener("pageshow", () => {
        for (const field of document.querySelectorAll("#inbox-filters [disabled]")) field.disabled = false;
        untick();
    });
    document.addEventListener("visibilitychange", () => document.hidden || poll());

    mark();
    times();
    place();
    timer = setTimeout(poll, EVERY);
})();
