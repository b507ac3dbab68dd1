"""Results as a table for people and as JSON for comparisons."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FLAT = 1.25  # a late turn may weigh this much more than an early one: pages of the database fill unevenly
HISTORY_TOKENS = 4_000  # PROMPT_HISTORY_TOKENS, the ceiling of what a model is told of the past
CALLS = 2  # model calls of a follow-up
Row = tuple[str, str, str, str]  # what, measured, goal, whether it was met


def row(what: str, value: float, unit: str = "", goal: float | None = None, *, least: bool = False) -> Row:
    measured = f"{value:,.0f}{unit}" if float(value).is_integer() or value >= 1000 else f"{value:,.1f}{unit}"
    if goal is None:
        return what, measured, "", ""
    met = value >= goal if least else value <= goal
    return what, measured, f"{'>=' if least else '<='} {goal:,.4g}{unit}", "met" if met else "MISSED"


def rows(results: dict[str, Any]) -> list[Row]:
    """The rows of what was measured; parts that were left out have none."""
    found: list[Row] = []
    if "latency" in results:
        found += _latency(results["latency"]["single"], results["latency"]["follow_up"])
    if "throughput" in results:
        found += _throughput(results["throughput"], results["throughput_new"])
    if "at_once" in results:
        found += _at_once(results["at_once"])
    if "scaling" in results:
        found += _scaling(results["scaling"])
    if "sockets" in results:
        found += _sockets(results["sockets"])
    if "storage" in results:
        found += _storage(results["storage"])
    return found


def _latency(single: dict[str, Any], follow: dict[str, Any]) -> list[Row]:
    return [
        row("First-token overhead, single intent, p50", single["overhead_p50_ms"], " ms", 40),
        row("First-token overhead, single intent, p95", single["overhead_p95_ms"], " ms"),
        row("First-token overhead, follow-up, p50", follow["overhead_p50_ms"], " ms", 25),
        row("First-token overhead, follow-up, p95", follow["overhead_p95_ms"], " ms"),
        row("  the business API's call in it", follow["business_api_ms"], " ms"),
        row("Model calls, single intent", single["model_calls"], goal=3),
        row("Model calls, follow-up", follow["model_calls"], goal=2),
    ]


def _throughput(visits: dict[str, Any], new: dict[str, Any]) -> list[Row]:
    title = f"Turns per second, {visits['conversations']} conversations"
    return [
        row(title, visits["turns_per_second"], "/s", 27.5, least=True),
        row("  first token under this load, p50", visits["first_token_p50_ms"], " ms"),
        row("  first token under this load, p95", visits["first_token_p95_ms"], " ms"),
        row(f"{title}, all new", new["turns_per_second"], "/s", 27.5, least=True),
        row("Turns per second of one core's time", visits["turns_per_core_second"], "/s"),
        *(
            row(f"  a turn's processor time, {name}", spent, " ms")
            for name, spent in visits["processor_ms_per_turn"].items()
        ),
    ]


def _at_once(at_once: dict[str, Any]) -> list[Row]:
    title = f"{at_once['turns_at_once']} turns at once"
    return [
        row(f"{title}: first-token overhead, p50", at_once["overhead_p50_ms"], " ms"),
        row(f"{title}: first-token overhead, p95", at_once["overhead_p95_ms"], " ms"),
        row(f"{title}: token frames per second", at_once["token_frames_per_second"], "/s"),
    ]


def _scaling(scaling: dict[str, Any]) -> list[Row]:
    found = []
    for shape in scaling["shapes"]:
        spent = shape["processor_ms_per_turn"]
        title = f"{shape['web_processes']} web and {shape['turns_processes']} turns processes"
        found.append(
            row(f"{title}, {scaling['cores']} cores: turns per second", shape["turns_per_second"], "/s")
        )
        found += [row(f"  a turn's processor time, {name}", spent[name], " ms") for name in sorted(spent)]
    return found


def _sockets(sockets: dict[str, Any]) -> list[Row]:
    mebibyte, kibibyte = 2**20, 2**10
    return [
        row("Web process, no socket", sockets["web_before_bytes"] / mebibyte, " MiB"),
        row(
            f"Web process, {sockets['sockets']:,} idle sockets", sockets["web_open_bytes"] / mebibyte, " MiB"
        ),
        row("  and after they were closed", sockets["web_after_bytes"] / mebibyte, " MiB"),
        row("Memory per idle socket", sockets["bytes_per_socket"] / kibibyte, " KiB"),
        row(
            "Memory per idle socket with a conversation",
            sockets["bytes_per_socket_with_conversation"] / kibibyte,
            " KiB",
        ),
    ]


def _storage(storage: dict[str, Any]) -> list[Row]:
    stored, prompts = storage["bytes_per_turn"], storage["prompt_tokens_per_turn"]
    return [
        row("Bytes stored by turn 1", stored["1"]),
        row("Bytes stored by turn 10", stored["10"]),
        row("Bytes stored by turn 60", stored["60"], goal=stored["10"] * FLAT),
        row("Prompt tokens of turn 1", prompts["1"]),
        row("Prompt tokens of turn 10", prompts["10"]),
        row("Prompt tokens of turn 30", prompts["30"]),
        row("Prompt tokens of turn 60", prompts["60"], goal=prompts["1"] + CALLS * HISTORY_TOKENS),
    ]


def table(results: dict[str, Any]) -> str:
    found = rows(results)
    if not found:
        return ""
    first = max(len(item[0]) for item in found)
    second = max(len(item[1]) for item in found)
    lines = [f"{'':{first}}  {'measured':>{second}}  goal"]
    lines += [f"{a:{first}}  {b:>{second}}  {c:<14}{d}".rstrip() for a, b, c, d in found]
    return "\n".join(lines)


def save(results: dict[str, Any], folder: Path) -> Path:
    """Write the results with the time and the machine; the file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    path = folder / f"{now:%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps({"at": now.isoformat(), "machine": machine, **results}, indent=2) + "\n")
    return path
