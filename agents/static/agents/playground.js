/* The playground: a trial's steps are shown as they come. Without this, the page comes when the trial has ended. */
"use strict";

(() => {
    const STREAM = "application/x-ndjson";
    const form = () => document.getElementById("playground");
    const steps = () => document.getElementById("steps");
    const told = (text) => {
        document.getElementById("told").textContent = text;
    };
    let running = null;

    const add = (html) => {
        document.getElementById("nothing-yet")?.remove();
        steps().insertAdjacentHTML("beforeend", html);
        steps().lastElementChild.scrollIntoView({ block: "nearest" });
    };

    const showCustomer = (text) => {
        const line = document.createElement("p");
        const who = document.createElement("span");
        line.className = "playground-said playground-customer";
        who.className = "playground-who";
        who.textContent = "Customer";
        line.append(who, text);
        add(line.outerHTML);
    };

    const take = (line) => {
        const given = JSON.parse(line);
        if (given.html) add(given.html);
        if (given.memory) form().elements.memory.value = JSON.stringify(given.memory);
        if (given.told) told(given.told);
    };

    const replacePage = (html) => {
        const page = new DOMParser().parseFromString(html, "text/html");
        form().replaceWith(page.getElementById("playground"));
        const wrong = form().querySelector(".errors input, .errors textarea, .errors select");
        for (let around = wrong?.closest("details"); around; around = around.parentElement.closest("details")) around.open = true;
        wrong?.focus();
    };

    const read = async (answer) => {
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        let left = "";
        for (;;) {
            const { value, done } = await reader.read();
            left += value ?? "";
            const lines = left.split("\n");
            left = lines.pop();
            for (const line of lines) take(line);
            if (done) return;
        }
    };

    const busy = (is) => {
        document.getElementById("send").disabled = is;
        document.getElementById("stop").hidden = !is;
        steps().setAttribute("aria-busy", String(is));
    };

    const send = async () => {
        const asked = form();
        const message = asked.elements.message.value.trim();
        if (!message) {
            told("Write a message first.");
            asked.elements.message.focus();
            return;
        }
        running = new AbortController();
        busy(true);
        told("Running ...");
        try {
            const answer = await fetch(asked.action, {
                method: "POST",
                body: new FormData(asked),
                headers: { Accept: STREAM },
                signal: running.signal,
            });
            if (!answer.headers.get("Content-Type")?.startsWith(STREAM)) {
                if (answer.status === 422 || answer.status === 429) replacePage(await answer.text());
                else told("You may not do this any more, or you were signed out. Load the page again.");
                return;
            }
            showCustomer(message);
            asked.elements.message.value = "";
            await read(answer);
        } catch (error) {
            told(error.name === "AbortError" ? "Stopped." : "The connection broke off. Send the message again.");
        } finally {
            running = null;
            busy(false);
        }
    };

    document.addEventListener("submit", (event) => {
        if (event.target !== form() || event.submitter?.id !== "send") return;
        event.preventDefault();
        if (!running) send();
    });
    document.addEventListener("click", (event) => {
        if (event.target.id === "stop") running?.abort();
    });
    document.addEventListener("keydown", (event) => {
        if (event.target.name !== "message" || event.target.form !== form()) return;
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form().requestSubmit(document.getElementById("send"));
    });
})();
