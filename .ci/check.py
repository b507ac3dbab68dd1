"""`python .ci/check.py NAME ...`: the static checks that are more than one command.

types        mypy, strict
deploy       Django's own deployment checks, with the settings of a production
templates    the HTML of our templates
scripts      the syntax of our JavaScript (needs node; without one, says that it was not checked)
schema       the published OpenAPI document: made without a warning, and valid
containers   compose.yml and the Dockerfile can be read, and name files that exist
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
APPS = ("agents", "analytics", "chat", "openapi_import", "replay", "smartsupport")
# Values that only have to look like a production's; nothing is connected to.
PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "only-for-the-check-" + "kq3zv8p1x7" * 6,
    "ALLOWED_HOSTS": "support.example.com",
    "DATABASE_URL": "postgresql://smartsupport:secret@db.example.com:5432/smartsupport",
    "REDIS_URL": "redis://:secret@valkey.example.com:6379/0",
    "CUSTOMER_JWT_SECRET": "only-for-the-check-" + "w5n2j9b4m6" * 3,
}


def types() -> int:
    return _run([sys.executable, "-m", "mypy"])


def deploy() -> int:
    words = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return _run(words, env=os.environ | PRODUCTION)


def templates() -> int:
    folders = [str(folder) for app in APPS if (folder := ROOT / app / "templates").is_dir()]
    if not folders:
        return 0
    return _run([sys.executable, "-m", "djlint", "--lint", "--quiet", *folders])


def scripts() -> int:
    node = shutil.which("node")
    files = sorted(file for app in APPS for file in (ROOT / app).rglob("*.js"))
    if node is None:
        print(f"scripts: not checked, because node is not installed ({len(files)} files)")
        return 0
    return max((_run([node, "--check", str(file)], quiet=True) for file in files), default=0)


def containers() -> int:
    faults = []
    compose = yaml.safe_load((ROOT / "docker" / "compose.yml").read_text())
    for name, service in compose["services"].items():
        if "image" not in service and "build" not in service:
            faults.append(f"docker/compose.yml: service {name} has neither image nor build")
        for needed in service.get("depends_on", {}):
            if needed not in compose["services"]:
                faults.append(f"docker/compose.yml: service {name} depends on {needed}, which is not there")
    for source in _copied(ROOT / "docker" / "Dockerfile"):
        if not list(ROOT.glob(source)):
            faults.append(f"docker/Dockerfile: copies {source}, which is not there")
    print("\n".join(faults) or "containers: compose.yml and Dockerfile are sound")
    return 1 if faults else 0


def schema() -> int:
    words = [sys.executable, "-W", "ignore", "manage.py", "spectacular", "--validate", "--fail-on-warn"]
    return _run([*words, "--file", os.devnull], env=os.environ | PRODUCTION)


def _copied(dockerfile: Path) -> list[str]:
    """Sources of the Dockerfile's COPY lines that come from the checkout."""
    found = []
    for line in dockerfile.read_text().splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and not any(word.startswith("--from") for word in words):
            found += [word for word in words[1:-1] if not word.startswith("--")]
    return [re.sub(r"/$", "", source) for source in found if source != "."]


def _run(words: list[str], *, env: dict[str, str] | None = None, quiet: bool = False) -> int:
    if not quiet:
        print("$", " ".join([Path(words[0]).name, *words[1:]]), flush=True)
    return subprocess.run(words, cwd=ROOT, env=env).returncode


CHECKS = {check.__name__: check for check in (types, deploy, templates, scripts, containers, schema)}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in CHECKS]
    if unknown or not names:
        print(__doc__, file=sys.stderr)
        return 2
    return max(CHECKS[name]() for name in names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
