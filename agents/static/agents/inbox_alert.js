/* Sound and title when an approval comes: off until somebody switches it on in this browser. */
"use strict";

(() => {
    const box = document.getElementById("inbox-alert");
    if (!box) return;
    const NAME = "smartsupport-approvals-alert";
    const still = window.matchMedia("(prefers-reduced-motion: reduce)");
    let audio = null;
    let flashing = 0;

    const kept = () => {
        try {
            return localStorage.getItem(NAME) === "on";
        } catch {
            return false;
        }
    };
    const ready = () => {
        if (!box.checked) return;
        audio ??= new AudioContext();
        if (audio.state === "suspended") audio.resume();
    };

    /* Two soft tones; browsers allow a sound only after somebody has used the page. */
    const sound = () => {
        if (!audio || audio.state !== "running") return;
        for (const [at, pitch] of [[0, 660], [0.16, 880]]) {
            const tone = audio.createOscillator();
            const volume = audio.createGain();
            const begin = audio.currentTime + at;
            tone.frequency.value = pitch;
            volume.gain.setValueAtTime(0.0001, begin);
            volume.gain.exponentialRampToValueAtTime(0.12, begin + 0.02);
            volume.gain.exponentialRampToValueAtTime(0.0001, begin + 0.15);
            tone.connect(volume).connect(audio.destination);
            tone.start(begin);
            tone.stop(begin + 0.16);
        }
    };

    const calm = () => {
        clearInterval(flashing);
        flashing = 0;
        document.dispatchEvent(new CustomEvent("console-title"));
    };
    const flash = () => {
        if (!document.hidden || flashing) return;
        const usual = document.title;
        document.title = "New approval";
        if (still.matches) return; // told once, nothing blinks
        flashing = setInterval(() => {
            document.title = document.title === usual ? "New approval" : usual;
        }, 1000);
    };

    box.checked = kept();
    box.addEventListener("change", () => {
        try {
            localStorage.setItem(NAME, box.checked ? "on" : "off");
        } catch {
            /* then it holds until the page is left */
        }
        ready();
        if (box.checked) sound();
    });
    for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, ready);
    document.addEventListener("inbox-new", () => {
        if (!box.checked) return;
        sound();
        flash();
    });
    document.addEventListener("visibilitychange", () => document.hidden || calm());
})();
