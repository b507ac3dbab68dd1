"""`make audit`: which of the installed packages have known holes, by pip-audit.

It asks about everything that requirements.txt and requirements-dev.txt brought into .venv, what those bring included.
It needs the network. Exit status: 0 none is known, 1 some are (they are listed), 2 the database of advisories could not
be asked.
"""

import json
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

AWAY = (
    "The database of advisories could not be asked, so nothing is known about holes in the packages. "
    "make audit needs the network: run it where there is one."
)
SECONDS = 600


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        words = [
            "--path",
            sysconfig.get_path("purelib"),
            "--skip-editable",
            "--progress-spinner",
            "off",
            "--format",
            "json",
            "--output",
        ]
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "pip_audit", *words, str(answer)],
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return _away(f"It did not answer for {SECONDS} s.")
        try:
            found = json.loads(answer.read_text())["dependencies"]
        except (OSError, ValueError, KeyError):
            return _away(_last_line(ended.stderr))
    return _told(found)


def _told(found: list[dict[str, Any]]) -> int:
    asked = [one for one in found if "skip_reason" not in one]
    if not asked:
        return _away("It knows none of the packages.")
    for one in found:
        if "skip_reason" in one:
            print(f"{one['name']}: not asked about: {one['skip_reason']}")
    holes = [(one, hole) for one in asked for hole in one.get("vulns", [])]
    for one, hole in holes:
        fixed = ", ".join(hole.get("fix_versions", [])) or "no version yet"
        print(f"{one['name']} {one['version']}: {hole['id']}, fixed in {fixed}")
    print(f"{len(asked)} packages, {len(holes)} known holes.")
    return 1 if holes else 0


def _away(why: str) -> int:
    print(f"{AWAY}\n({why})", file=sys.stderr)
    return 2


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "pip-audit said nothing"


if __name__ == "__main__":
    sys.exit(main())
