"""Which account runs Postgres, and where that account can reach its files.

Postgres refuses to run as root. Started by root, it runs as `nobody`, who must reach both the programs and the data;
permissions of folders that exist already are never widened for that. Where the way is barred (a checkout under
/root, say), the data and a copy of the programs go to /var/lib, and a pointer file in the data folder says where.
"""

import os
import pwd
import secrets
import subprocess
from pathlib import Path

from smartsupport.embedded.errors import EmbeddedServerFailed

Account = tuple[int, int]
OUTSIDE = Path("/var/lib")
POINTER = "postgres-location.txt"


def for_postgres() -> Account | None:
    """(uid, gid) to run Postgres as, or None for the account we already are."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def reaches(account: Account | None, path: Path) -> bool:
    """Whether the account can pass through (a folder) or run (a file) `path`."""
    if account is None:
        return os.access(path, os.X_OK)
    tried = subprocess.run(
        ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)],
        user=account[0],
        group=account[1],
        extra_groups=[],
        cwd="/",
        capture_output=True,
    )
    return tried.returncode == 0


def home(directory: Path, account: Account | None) -> Path:
    """The folder for the cluster that belongs to `directory`: itself, or the one in /var/lib it points to."""
    directory.mkdir(parents=True, exist_ok=True)
    pointer = directory / POINTER
    if pointer.exists() and (told := Path(pointer.read_text().strip())).is_dir():
        return told
    if reaches(account, directory):
        return directory
    # A fresh name, so that a data folder that was deleted and made again does not meet its predecessor's cluster.
    outside = OUTSIDE / f"smartsupport-{secrets.token_hex(6)}"
    try:
        outside.mkdir(mode=0o711, parents=True)
    except OSError as error:
        raise EmbeddedServerFailed(
            f"Postgres cannot keep its data in {directory}, which user nobody cannot reach, nor in {outside} "
            f"({error.strerror}): choose another folder with DATA_DIR, or set DATABASE_URL."
        ) from None
    outside.chmod(0o711)
    pointer.write_text(f"{outside}\n")
    return outside
