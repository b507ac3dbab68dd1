"""`python -m tests.browser`: see to it that the browser tests have a Chromium.

It is, in this order: CHROMIUM_PATH, one on the PATH, or Debian's, installed now if we may. One without windows is
preferred: it draws the same pages, and a test in it takes a quarter of the processor's time.
"""

import os
import shutil
import subprocess
import sys

WITHOUT_WINDOWS = "chromium-headless-shell"
NAMES = (WITHOUT_WINDOWS, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The path of a Chromium or Chrome on this machine, or None. Raises SystemExit where CHROMIUM_PATH is wrong."""
    named = os.environ.get("CHROMIUM_PATH", "").strip()
    if named:
        if shutil.which(named) is None:
            sys.exit(
                f"CHROMIUM_PATH must be the path of a Chromium or Chrome program, and {named!r} is none."
            )
        return shutil.which(named)
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> None:
    """Install Debian's Chromium as root, or with a sudo that asks for no password."""
    if shutil.which("apt-get") is None:
        return
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and (
        shutil.which("sudo") is None or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode
    ):
        return
    print("Installing Chromium for the browser tests ...", flush=True)
    env = ["env", "DEBIAN_FRONTEND=noninteractive"]
    subprocess.run([*prefix, *env, "apt-get", "update", "-qq"], stdout=subprocess.DEVNULL)
    options = ["-y", "-qq", "--no-install-recommends", "fonts-liberation"]
    for package in (WITHOUT_WINDOWS, "chromium"):  # the first is missing in old releases
        command = [*prefix, *env, "apt-get", "install", *options, package]
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0:
            return


def main() -> int:
    if find() is None:
        install()
    if find() is None:
        print(
            "The browser tests need Chromium, which is neither here nor installable without a password: "
            "install it (Debian: apt-get install chromium-headless-shell) or set CHROMIUM_PATH.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
