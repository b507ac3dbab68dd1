/* On every page of the console: times stay true, and a page that cannot update itself says so. */
"use strict";

(() => {
    const UNITS = [
        [86400, "day", "days"],
        [3600, "h", "h"],
        [60, "min", "min"],
    ];

    /* As smartsupport.lib.console.age writes it. */
    const age = (since) => {
        const seconds = Math.max(0, Math.floor((Date.now() - since) / 1000));
        for (const [size, one, many] of UNITS) {
            const count = Math.floor(seconds / size);
            if (count >= 1) return `${count} ${count === 1 ? one : many}`;
        }
        return "under a minute";
    };

    const tick = () => {
        for (const time of document.querySelectorAll("time[data-ago]")) {
            const since = Date.parse(time.dateTime);
            const text = `${age(since)} ago`;
            if (!Number.isNaN(since) && time.textContent !== text) time.textContent = text;
        }
    };
    setInterval(tick, 15000);

    /* Django's fields of two lists put a name on a mark that has no role to bear it. They are made when the page is loaded. */
    addEventListener("load", () =>
        setTimeout(() => {
            for (const mark of document.querySelectorAll("span.help-tooltip[aria-label]")) mark.setAttribute("role", "img");
        }),
    );

    /* One line for all polling pieces of a page: what is wrong, and that it goes on trying. Another one for what somebody
       asked for in vain: it stays until they do something else. */
    const tell = (text, id = "console-offline") => {
        let line = document.getElementById(id);
        if (!line && !text) return;
        if (!line) {
            line = document.createElement("p");
            line.id = id;
            line.className = "console-offline";
            line.setAttribute("role", "status");
            document.body.append(line);
        }
        line.textContent = text;
        line.hidden = !text;
    };

    const polls = (event) => {
        const trigger = event.detail.elt?.getAttribute?.("hx-trigger") || "";
        return trigger.includes("every");
    };

    const refuse = (text) => tell(text, "console-refused");
    for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => refuse(""), true);

    document.addEventListener("htmx:sendError", (event) => {
        if (polls(event)) tell("The connection is gone. What you see may be old; trying again.");
        else refuse("The connection is gone. Look whether it was done before you try it again.");
    });
    document.addEventListener("htmx:responseError", (event) => {
        const answer = event.detail.xhr;
        const words = (answer.getResponseHeader("Content-Type") || "").startsWith("text/plain") ? answer.responseText : "";
        if (!polls(event)) return refuse(words.slice(0, 300) || "This did not work. Reload the page, and try it again.");
        const status = event.detail.xhr.status;
        if (status === 401 || status === 403) tell("You are signed out, or may no longer see this. Reload the page.");
        else tell("The server could not update this page. Trying again.");
    });
    document.addEventListener("htmx:beforeSwap", (event) => {
        // A session that has ended answers a poll with the sign-in page: it must not be put into this one.
        const url = event.detail.xhr.responseURL || "";
        if (polls(event) && new URL(url, location.href).pathname.endsWith("/login/")) {
            event.detail.shouldSwap = false;
            tell("You are signed out. Reload the page to sign in again.");
        }
    });
    document.addEventListener("htmx:afterRequest", (event) => {
        if (polls(event) && event.detail.successful && !(event.detail.xhr.responseURL || "").includes("/login/")) tell("");
    });
})();
