"""Turning JSON results into sentences and short lists, for shapes nobody has seen before. Nothing is
added to them.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from agents.providers.offline import phrases
from agents.providers.offline.conversation import Made
from agents.providers.offline.labels_zh import LABELS_ZH
from agents.providers.offline.tools import Tool

MOST_ITEMS = 10
_LONG_TEXT = 120
_MONTHS = "January February March April May June July August September October November December".split()
_STATUSES_ZH = {
    "paid": "已付款",
    "processing": "处理中",
    "shipped": "已发货",
    "delivered": "已送达",
    "cancelled": "已取消",
    "canceled": "已取消",
    "active": "有效",
    "pending": "待处理",
    "posted": "已入账",
    "received": "已收到",
    "under_review": "审核中",
    "refunded": "已退款",
    "rejected": "已驳回",
    "valid": "有效",
    "expired": "已过期",
}


def write_outcome(call: Made, tool: Tool | None, language: str) -> str:
    """One call's outcome for the customer."""
    if call.outcome is None:
        return phrases.say("waiting", language)
    if not call.outcome.ok:
        return phrases.failed(call.name, call.outcome.kind, call.outcome.message, language)
    return write_result(
        call.outcome.result, reads=tool.profile.reads if tool else False, language=language, name=call.name
    )


def write_result(result: Any, *, reads: bool, language: str, name: str) -> str:
    """A successful result in words: its own `message` first, then the rest for tools that read."""
    if result is None or result == "" or result == {}:
        return phrases.say("nothing_found" if reads else "done", language)
    if isinstance(result, str):
        return result
    if isinstance(result, list):
        return _whole_list(name, result, language)
    if not isinstance(result, Mapping):
        return f"{phrases.label(name, language)}: {spoken(result, language)}"
    message = result.get("message")
    if isinstance(message, str) and message.strip():
        return _with_details(message.strip(), result, language) if reads else message.strip()
    inner = [key for key, value in result.items() if value not in (None, [], {})]
    if len(inner) == 1 and isinstance(result[inner[0]], Mapping):
        return write_result(result[inner[0]], reads=reads, language=language, name=inner[0])
    return _with_details("", result, language, name)


def _with_details(lead: str, result: Mapping[str, Any], language: str, name: str = "") -> str:
    lists = {k: v for k, v in result.items() if isinstance(v, list)}
    rest = {
        k: v
        for k, v in result.items()
        if k not in lists and k not in ("message", "page", "limit", "per_page")
    }
    if lists and set(rest) <= {"total", "count", "has_more", "next", "question"}:
        total = rest.get("total", rest.get("count"))
        whole = (_whole_list(k, v, language, total) for k, v in lists.items() if v or not lead)
        body = "\n\n".join(whole)
        return "\n\n".join(part for part in (lead, body) if part)
    headline, used = _headline(rest, language)
    first = lead or headline or phrases.say("found", language)
    lines = [
        _bullet(k, v, language)
        for k, v in rest.items()
        if k not in used and (not lead or k not in ("status",))
    ]
    lines += [_bullet_list(k, v, language) for k, v in lists.items() if v]
    shown = [line for line in lines if line and not (lead and _said_already(line, lead))]
    return "\n\n".join(part for part in (first, "\n".join(shown)) if part)


def _said_already(line: str, lead: str) -> bool:
    value = line.split(":** ", 1)[-1]
    return len(value) > 2 and value in lead


def _headline(fields: Mapping[str, Any], language: str) -> tuple[str, set[str]]:
    """`Order 1042 is shipped.` from an id and a status, and which fields that used up."""
    status, used = fields.get("status"), {"status", "status_text"}
    if not isinstance(status, str):
        return "", set()
    own = isinstance(fields.get("id"), str | int)  # then the others are of what it belongs to
    identity = next((k for k in fields if k.endswith("_id") and isinstance(fields[k], str | int)), "")
    explained = fields.get("status_text")
    explained = f" {explained}" if isinstance(explained, str) else ""
    if own or not identity:
        return "", set()
    noun, value = identity.removesuffix("_id").replace("_", " "), fields[identity]
    if language == "zh":
        thing = LABELS_ZH.get(identity.removesuffix("_id"), noun)
        return f"{thing} {value} 的状态：**{_status(status, 'zh')}**。{explained.strip()}", {*used, identity}
    return f"{noun.capitalize()} {value} is **{_status(status, 'en')}**.{explained}", {*used, identity}


def _status(value: str, language: str) -> str:
    return _STATUSES_ZH.get(value, value) if language == "zh" else value.replace("_", " ")


def _bullet(key: str, value: Any, language: str) -> str:
    text = spoken(value, language, key)
    return f"- **{phrases.label(key, language)}:** {text}" if text else ""


def _bullet_list(key: str, values: Sequence[Any], language: str) -> str:
    head = f"- **{phrases.label(key, language)}:**"
    if not any(isinstance(value, Mapping | list) for value in values):
        return f"{head} {', '.join(spoken(value, language) for value in values)}"
    return "\n".join([head, *(f"  - {line}" for line in _lines(values, language))])


def _whole_list(key: str, values: Sequence[Any], language: str, total: Any = None) -> str:
    name = phrases.label(key, language)
    if not values:
        plain = name.lower() if language == "en" else name
        return f"没有找到{plain}。" if language == "zh" else f"I found no {plain}."
    articles = [v for v in values if isinstance(v, Mapping) and any(_is_long(x) for x in v.values())]
    if articles:
        return "\n\n".join(_article(article) for article in articles[:1])
    more = type(total) is int and total > len(values)
    if language == "zh":
        head = f"{name}（共 {total} 项中的 {len(values)} 项）：" if more else f"{name}（{len(values)}）："
    else:
        head = f"{name} ({len(values)} of {total}):" if more else f"{name} ({len(values)}):"
    return "\n".join([head, *(f"- {line}" for line in _lines(values, language))])


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and len(value) > _LONG_TEXT


def _article(article: Mapping[str, Any]) -> str:
    title = next((str(article[k]) for k in ("title", "name", "heading", "subject") if article.get(k)), "")
    text = next(value for value in article.values() if _is_long(value))
    return f"**{title}**\n\n{text}" if title else str(text)


def _lines(values: Sequence[Any], language: str) -> list[str]:
    lines = [spoken(value, language) for value in values[:MOST_ITEMS]]
    more = len(values) - MOST_ITEMS
    if more > 0:
        lines.append(f"……另有 {more} 项" if language == "zh" else f"... and {more} more")
    return lines


def spoken(value: Any, language: str, key: str = "") -> str:
    """One value as people write it: dates, money, yes and no, a record on one line. Empty values give ""."""
    if value is None or value == "" or value == [] or value == {}:
        return ""
    if isinstance(value, bool):
        return {"en": ("no", "yes"), "zh": ("否", "是")}[language][value]
    if isinstance(value, int | float):
        return f"{value / 100:.2f}" if key.endswith("_cents") else str(value)
    if isinstance(value, str):
        return (
            _status(value, language)
            if key in ("status", "kind", "state")
            else _moment(value, language) or value
        )
    if isinstance(value, Mapping):
        return _money(value) or _record(value, language)
    return ", ".join(spoken(item, language) for item in value[:MOST_ITEMS])


def _money(value: Mapping[str, Any]) -> str:
    amount, currency = value.get("amount"), value.get("currency")
    if set(value) == {"amount", "currency"} and isinstance(amount, str | int | float):
        return f"{amount} {currency}"
    return ""


def _record(value: Mapping[str, Any], language: str) -> str:
    """A record on one line: what names it in bold, then the other fields."""
    pairs = [(k, spoken(v, language, k)) for k, v in value.items() if not isinstance(v, list)]
    pairs = [(k, text) for k, text in pairs if text]
    if not pairs:
        return ""
    names = [k for k, _ in pairs if k.endswith("_id") or k in ("id", "name", "title", "code", "at", "number")]
    if not names:
        return ", ".join(f"{phrases.label(k, language).lower()} {text}" for k, text in pairs)
    first = names[0]
    lead = dict(pairs)[first]
    rest = [
        text if _speaks_for_itself(k, value) else f"{phrases.label(k, language).lower()} {text}"
        for k, text in pairs
        if k != first
    ]
    return f"**{lead}**" + (f" — {', '.join(rest)}" if rest else "")


def _speaks_for_itself(key: str, record: Mapping[str, Any]) -> bool:
    value = record[key]
    return key in ("status", "description", "name", "title", "merchant", "at", "place", "kind") or isinstance(
        value, Mapping
    )


def _moment(text: str, language: str) -> str:
    """`2026-11-02T10:00:00Z` -> `2 November 2026, 10:00 UTC`; "" for anything that is no date."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.*)?", text):
        return ""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return ""
    day = _day(moment.date(), language)
    if len(text) == 10:
        return day
    zone = " UTC" if moment.utcoffset() is not None and not moment.utcoffset() else ""
    return f"{day} {moment:%H:%M}{zone}" if language == "zh" else f"{day}, {moment:%H:%M}{zone}"


def _day(day: date, language: str) -> str:
    if language == "zh":
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
