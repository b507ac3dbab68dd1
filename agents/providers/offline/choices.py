"""Words chosen from the text: enumerated values, yes or no, reasons, and texts that are introduced by
their name.
"""

import re
from typing import Any

from agents import lexicon
from agents.lexical import normalised, read
from agents.providers.offline import values
from agents.providers.offline.sources import Sources
from agents.providers.offline.tools import Parameter, Tool, pattern_of

# What customers say -> words that a value of an enumeration may contain.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "pro": ("professional", "专业版", "专业", "高级"),
    "professional": ("pro", "专业版"),
    "basic": ("基础版", "基本版", "基础", "基本"),
    "starter": ("入门版", "入门", "初级", "smallest", "cheapest"),
    "free": ("免费版", "免费", "trial"),
    "standard": ("标准版", "标准"),
    "premium": ("高级版", "高级", "尊享"),
    "enterprise": ("企业版", "企业"),
    "business": ("商业版", "商务版"),
    "team": ("团队版", "团队", "teams"),
    "personal": ("个人版", "个人"),
    "monthly": ("month", "per month", "月付", "按月", "每月"),
    "yearly": ("annual", "annually", "year", "per year", "年付", "按年", "每年"),
    "annual": ("yearly", "annually", "per year", "年付", "按年"),
    "urgent": ("紧急", "asap", "immediately"),
    "high": ("高",),
    "low": ("低",),
    "express": ("快递", "overnight", "加急"),
    "duplicate": ("twice", "double", "重复"),
    "fraud": ("fraudulent", "stolen", "scam", "盗刷", "unauthorised", "unauthorized"),
    "not received": ("never arrived", "did not arrive", "didn't arrive", "没收到"),
}


def _spoken(value: Any) -> str:
    return re.sub(r"[_\-]+", " ", str(value)).lower()


def find_choice(parameter: Parameter, text: str, *, answering: bool, required: bool) -> Any:
    """The enumerated value that the text names, by itself or by a synonym.

    The last one wins ("from basic to pro").

    A value that the list does not have is passed on as said ("change my plan to platinum"), so that the
    platform can refuse it by name.
    """
    clean = normalised(text)
    best: tuple[int, int, Any] | None = None
    for value in parameter.choices:
        if isinstance(value, bool) or value is None:
            continue
        spoken = _spoken(value)
        for form in (spoken, *_SYNONYMS.get(spoken, ())):
            bounded = rf"(?<![a-z]){re.escape(form)}(?![a-z])" if form.isascii() else re.escape(form)
            match = next(reversed(list(re.finditer(bounded, clean))), None)
            if match and (best is None or (match.start(), len(form)) > best[:2]):
                best = (match.start(), len(form), value)
    if best:
        return best[2]
    return _unlisted(parameter, clean, answering=answering) if required else None


def _unlisted(parameter: Parameter, clean: str, *, answering: bool) -> str | None:
    if parameter.type != "string":
        return None
    match = re.search(
        r"\b(?:to|into)\s+(?:the\s+|a\s+)?([a-z][a-z0-9-]*)\b(?:\s+(?:plan|tier|version|one))?\s*[.!?]*$",
        clean,
    )
    if match and match.group(1) not in lexicon.STOP_WORDS:
        return match.group(1)
    chinese = re.search(r"(?:到|为|成)\s*([\u3400-\u9fff]{1,8}?)(?:套餐)?[。！]?$", clean)
    if chinese:
        return chinese.group(1)
    return clean.strip(" .!?") if answering and re.fullmatch(r"[a-z][a-z0-9 -]{1,30}[.!?]*", clean) else None


def find_boolean(parameter: Parameter, text: str, *, answering: bool) -> bool | None:
    """True or false only when the text speaks of the parameter (`notify_customer`: "notify me", "don't
    notify me").
    """
    clean = normalised(text)
    if answering:
        if re.match(r"(?:yes|yeah|yep|sure|please|是|好|对|要)", clean):
            return True
        if re.match(r"(?:no|nope|don't|不|否|别)", clean):
            return False
    words = [part for part in parameter.parts if len(part) > 3 and part not in lexicon.STOP_WORDS]
    for word in words:
        match = re.search(rf"\b{re.escape(word)}", clean)
        if match:
            before = clean[: match.start()][-16:]
            return not re.search(r"\b(?:no|not|don't|without|never|dont)\b", before)
    return None


_EXCUSES = re.compile(
    r"\b(?:never|didn't|did not|wasn't|was not|not mine|twice|double|duplicate|wrong|late"
    r"|broken|damaged|defective|fraud\w*"
    r"|stolen|unauthori[sz]ed|don't recogni[sz]e|do not recogni[sz]e|no longer|don't need"
    r"|too expensive|mistake|changed my mind"
    r"|don't want|scam|missing|not received|by accident|hasn't|haven't)\b"
    r"|没有|不是我|重复|盗刷|错误|太贵|不需要|不想要|不认识|损坏|坏了|没收到|未授权|多扣",
    re.IGNORECASE,
)


def find_reason(parameter: Parameter, sources: Sources) -> str | None:
    """Why: what follows "because"; for a required reason also a sentence that plainly is one, or the
    whole answer.
    """
    if sources.clause.reason:
        return sources.clause.reason
    stated = re.search(r"\bfor (?:being |having )?([a-z]+ing [^.;,]+)", sources.clause.text, re.IGNORECASE)
    if stated:
        return stated.group(1).strip()
    if sources.answering and parameter.required:
        return sources.message.strip() or None
    if not parameter.required:
        return None
    for text in (*sources.leftovers, sources.clause.text):
        if _EXCUSES.search(text):
            return text.strip()
    return None


def nouns_of(parameter: Parameter) -> set[str]:
    """The content words of a parameter's description, singular: `number of guests` -> {"guest"}."""
    found = read(parameter.description)
    return {word.rstrip("s") for word in found.words | found.things if word.isascii()}


_INTRODUCED = r"(?:\s+(?:is|are|to|as|under|=)\s+|\s*[:=：]\s*|是|改成|改为|换成|为)"


def find_named_text(parameter: Parameter, tool: Tool, text: str) -> str | None:
    """A text that its name introduces: `address is 5 Main St`, `name: Ann`, `... to 5 Main St` for a
    change, or quoted.
    """
    quotes = values.quoted(text)
    if quotes:
        return quotes[0] if parameter.required or parameter.is_free_text else None
    pattern = pattern_of(parameter.schema)
    if pattern is not None and (parameter.required or parameter.parts[-1:] == ["code"]):
        found = _matching(pattern, text)
        if found:
            return found
    words = [part for part in parameter.parts if part not in {"new", "id", "full"}]
    for word in reversed(words):
        match = re.search(rf"(?i)\b{re.escape(word)}s?{_INTRODUCED}(.+)$", text)
        if match:
            return _tidy(match.group(1))
    if {"city", "country", "place", "location", "destination"} & set(words):
        match = re.search(r"\b(?:in|to|at|near|from)\s+([A-Z][\w'-]*(?:\s+[A-Z][\w'-]*)*)", text)
        if match:
            return match.group(1)
    if "name" in words:
        match = re.search(r"\b(?:for|under|named|called)\s+([A-Z][\w'-]*(?:\s+[A-Z][\w'-]*)*)", text)
        if match:
            return match.group(1)
    if parameter.required and "CHANGE" in tool.profile.effects:
        return _changed_to(parameter, text)
    if set(words) & {"text", "query", "search", "merchant", "keyword"}:
        match = re.search(
            r"\b(?:to|at|from|with|for|containing|about)\s+([A-Z][\w'&-]*(?:\s+[A-Z][\w'&-]*)*)", text
        )
        return match.group(1) if match else None
    if parameter.required and "plan" in words:
        return _changed_to(parameter, text)
    return None


def _changed_to(parameter: Parameter, text: str) -> str | None:
    match = re.search(
        r"(?i).*?\b(?:to|into)\s+(?:the\s+)?(.+)$|.*?(?:改成|改为|换成|换到|升级到|升级为|降级到|改到|到|为)\s*(.+)$",
        text,
    )
    if not match:
        return None
    found = _tidy(match.group(1) or match.group(2))
    if parameter.noun == "plan" or "plan" in parameter.parts:
        found = re.sub(r"(?i)\s+(?:plan|tier|套餐)$|套餐$", "", found)
    return found or None


def _matching(pattern: re.Pattern[str], text: str) -> str | None:
    words = re.findall(r"[^\s,;，。；]+", text)
    return next((word for word in words if any(c.isdigit() for c in word) and pattern.fullmatch(word)), None)


def _tidy(text: str) -> str:
    text = re.split(r"(?i)\s*[,，]?\s+(?:please|thanks|thank you)\b|[.!?。！？](?:\s|$)", text.strip())[0]
    return text.strip(" ,，.。!！?？\"'")
