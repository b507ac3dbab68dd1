/* Buttons that copy a text of the page: data-copy names the element that has it. */
"use strict";

document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const words = button.textContent;
    try {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
        button.textContent = "Copied";
    } catch {
        button.textContent = "Select it and copy it by hand";
    }
    setTimeout(() => {
        button.textContent = words;
    }, 2000);
});
