"""`collectstatic` as a production runs it: every module imports the others by their hashed names."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "for-this-test-only-" + "kq3zv8p1x7" * 6,
    "ALLOWED_HOSTS": "support.example.com",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1/none",
    "REDIS_URL": "redis://127.0.0.1/0",
    "CUSTOMER_JWT_SECRET": "for-this-test-only-" + "w5n2j9b4m6" * 3,
    "DJANGO_SETTINGS_MODULE": "smartsupport.settings",
}


def test_modules_import_each_other_by_hashed_names(tmp_path: Path) -> None:
    env = os.environ | PRODUCTION | {"DATA_DIR": str(tmp_path), "STATIC_ROOT": str(tmp_path / "static")}
    done = subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "-v", "0"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr

    for begin in ("page", "widget_frame"):
        [page] = [path for path in (tmp_path / "static" / "chat").glob(f"{begin}.*.js")]
        imported = re.findall(r'(?:from |import\()"\./([^"]+)"', page.read_text())
        assert imported
        assert all(re.fullmatch(r"[a-z_]+\.[0-9a-f]{12}\.js", name) for name in imported), imported
        assert all((page.parent / name).exists() for name in imported)
