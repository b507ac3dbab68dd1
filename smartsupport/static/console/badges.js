/* The numbers in the sidebar move without a reload, and the title of the approvals tells how many wait. */
"use strict";

(() => {
    const EVERY = 5000;
    const HIDDEN_EVERY = 15000;
    const APPROVALS = "/agents/action/";
    let state = "";
    let timer = 0;
    let waiting = null;

    const links = (path) => [...document.querySelectorAll("#nav-sidebar-apps a")].filter((link) => link.pathname === path);

    const retitle = () => {
        if (waiting === null || !location.pathname.includes(APPROVALS)) return;
        const plain = document.title.replace(/^\(\d+\) /, "");
        const title = waiting ? `(${waiting}) ${plain}` : plain;
        if (document.title !== title) document.title = title;
    };

    const show = (item) => {
        for (const link of links(item.link)) {
            const label = [...link.children].find((one) => one.matches("span:not(.material-symbols-outlined)"));
            for (const old of [...link.children].slice([...link.children].indexOf(label) + 1)) old.remove();
            if (item.badge) label.insertAdjacentHTML("afterend", item.badge);
        }
        if (item.link.includes(APPROVALS)) waiting = item.count;
    };

    const ask = async () => {
        clearTimeout(timer);
        let goOn = true;
        try {
            const answer = await fetch(`/admin/waiting/?state=${state}`, { credentials: "same-origin", redirect: "manual" });
            if (answer.type === "opaqueredirect" || answer.status === 403) goOn = false; // signed out
            else if (answer.status === 200) {
                const told = await answer.json();
                state = told.state;
                told.items.forEach(show);
                retitle();
            }
        } catch {
            /* the next one may come through */
        }
        clearTimeout(timer);
        if (goOn) timer = setTimeout(ask, document.hidden ? HIDDEN_EVERY : EVERY);
    };

    document.addEventListener("console-counts", ask);
    document.addEventListener("console-title", () => {
        if (/^New approval/.test(document.title)) document.title = "Approvals";
        retitle();
    });
    document.addEventListener("visibilitychange", () => document.hidden || ask());
    const begin = () => document.getElementById("nav-sidebar-apps") && ask();
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
    else begin();
})();
