"""Values in a sentence: identifiers, percentages, durations, amounts, dates, addresses of people. English and Chinese."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from agents import lexicon
from agents.lexical import concept_of, normalised

Number = int | float

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
WORD_NUMBERS: dict[str, int] = {
    **{word: value for value, word in enumerate(_SMALL)},
    **{word: 20 + 10 * i for i, word in enumerate(_TENS)},
    **{
        f"{ten}-{one}": 20 + 10 * i + j
        for i, ten in enumerate(_TENS)
        for j, one in enumerate(_SMALL[:10])
        if j
    },
    **{
        f"{ten} {one}": 20 + 10 * i + j
        for i, ten in enumerate(_TENS)
        for j, one in enumerate(_SMALL[:10])
        if j
    },
    "hundred": 100,
    "a hundred": 100,
    "one hundred": 100,
}
_CHINESE_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
NUMBER = (
    r"(?<![\w.])(-?\d+(?:\.\d+)?|(?:"
    + "|".join(sorted(WORD_NUMBERS, key=len, reverse=True))
    + r")\b|[零一二两三四五六七八九十百]+)"
)


def number_of(text: str) -> Number | None:
    """`15`, `7.5`, `fifteen`, `十五` -> a number; anything else -> None."""
    text = normalised(text)
    if re.fullmatch(r"-?\d+(?:\.\d+)?", text):
        return _whole(float(text)) if "." in text else int(text)
    if text in WORD_NUMBERS:
        return WORD_NUMBERS[text]
    return _chinese_number(text)


def _whole(value: float) -> Number:
    return int(value) if value == int(value) else value


def _chinese_number(text: str) -> int | None:
    if not text or not re.fullmatch(r"[零〇一二两三四五六七八九十百]+", text):
        return None
    if "百" in text or "十" in text:
        hundreds, _, rest = text.rpartition("百") if "百" in text else ("", "", text)
        total = 100 * (_CHINESE_DIGITS.get(hundreds, 1) if "百" in text else 0)
        if "十" in rest:
            tens, _, ones = rest.partition("十")
            return total + 10 * _CHINESE_DIGITS.get(tens, 1) + _CHINESE_DIGITS.get(ones, 0)
        return total + _CHINESE_DIGITS.get(rest.strip("零"), 0)
    return int("".join(str(_CHINESE_DIGITS[char]) for char in text))


def percentages(text: str) -> list[Number]:
    """Every percentage, as said: `10%`, `ten percent`, `百分之十`. `打九折` (nine tenths of the price) is 10 % off."""
    clean = normalised(text)
    found: list[tuple[int, Number]] = []
    for match in re.finditer(NUMBER + r"\s*-?\s*(?:%|percent|per cent|pct)", clean):
        value = number_of(match.group(1))
        if value is not None:
            found.append((match.start(), value))
    for match in re.finditer(r"百分之([零一二两三四五六七八九十百]+|\d+)", clean):
        value = number_of(match.group(1))
        if value is not None:
            found.append((match.start(), value))
    for match in re.finditer(r"(?<!百分之)(\d+(?:\.\d+)?|[一二三四五六七八九]{1,2})\s*折(?!扣)", clean):
        found.append((match.start(), _off_from_tenths(match.group(1))))
    if re.search(r"\bhalf (?:price|off)\b|半价", clean):
        found.append((len(clean), 50))
    return [value for _, value in sorted(found)]


def _off_from_tenths(text: str) -> Number:
    """`九` -> 10, `8.5` or `八五` or `85` -> 15: what is taken off when the price becomes so many tenths."""
    value = number_of(text)
    tenths = float(value if value is not None else 0)
    share = tenths * 10 if tenths < 10 else tenths
    return _whole(round(100 - share, 2))


_DAYS_IN = {"day": 1, "night": 1, "week": 7, "fortnight": 14, "month": 30, "year": 365}
UNITS = {
    **{unit: unit for unit in ("day", "night", "week", "month", "year", "hour", "minute", "fortnight")},
    **dict.fromkeys(("天", "日"), "day"),
    **dict.fromkeys(("周", "星期", "个星期", "礼拜"), "week"),
    **dict.fromkeys(("个月", "月"), "month"),
    **dict.fromkeys(("年",), "year"),
    **dict.fromkeys(("晚", "夜"), "night"),
    **dict.fromkeys(("小时", "个小时"), "hour"),
    **dict.fromkeys(("分钟",), "minute"),
}
_DURATION = re.compile(
    r"(?:" + NUMBER + r"|\b(an?)\b)[ -]*(" + "|".join(sorted(UNITS, key=len, reverse=True)) + r")s?(?![a-z])"
)


def durations(text: str) -> list[tuple[Number, str]]:
    """(how many, unit in the singular): `14 days`, `two weeks`, `30天`."""
    found = []
    for match in _DURATION.finditer(normalised(text)):
        value = 1 if match.group(2) else number_of(match.group(1))
        if value is not None:
            found.append((value, UNITS[match.group(3)]))
    return found


def in_days(amount: Number, unit: str) -> Number | None:
    return amount * _DAYS_IN[unit] if unit in _DAYS_IN else None


_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "|".join(f"{name}|{name[:3]}" for name in _MONTHS) + "|sept"
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_DAY_WORDS = {
    "today": 0, "tonight": 0, "今天": 0, "tomorrow": 1, "明天": 1, "day after tomorrow": 2, "后天": 2, "yesterday": -1,
    "昨天": -1, "前天": -2,
}  # fmt: skip
_DATES = re.compile(
    r"(?P<iso>\d{4}-\d{1,2}-\d{1,2})"
    r"|(?P<zh>(?:(?P<zy>\d{4})年)?(?P<zm>\d{1,2})月(?P<zd>\d{1,2})[日号])"
    rf"|(?P<dm>\b(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m1>{_MONTH})\b\.?,?(?: (?P<y1>\d{{4}}))?)"
    rf"|(?P<md>\b(?P<m2>{_MONTH})\b\.? (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (?P<y2>\d{{4}}))?)"
    rf"|(?P<word>{'|'.join(sorted(_DAY_WORDS, key=len, reverse=True))})"
    rf"|(?P<weekday>\b(?P<next>next |this |on )?(?P<wd>{'|'.join(_WEEKDAYS)})\b)"
    r"|(?P<zhweek>(?P<zhnext>下)?(?:周|星期|礼拜)(?P<zhwd>[一二三四五六日天]))"
)


@dataclass(frozen=True)
class DateSaid:
    """A day, where it stands in the sentence, and the word before it (`since`, `until`, `from` ...)."""

    day: date
    start: int
    end: int
    before: str


def dates(text: str, today: date) -> list[DateSaid]:
    """Every day that the text names, relative ones counted from `today`; impossible ones are left out."""
    clean = normalised(text)
    found = []
    for match in _DATES.finditer(clean):
        day = _day(match, today)
        if day is not None:
            before = re.findall(r"[a-z]+|[从到自至]", clean[: match.start()])[-1:]
            found.append(DateSaid(day, match.start(), match.end(), before[0] if before else ""))
    return found


def _day(match: re.Match[str], today: date) -> date | None:
    part = match.groupdict()
    try:
        if part["iso"]:
            return date(*(int(piece) for piece in part["iso"].split("-")))
        if part["zh"]:
            return _nearest(part["zy"], int(part["zm"]), int(part["zd"]), today)
        if part["dm"] or part["md"]:
            month = part["m1"] or part["m2"]
            number = next(i for i, name in enumerate(_MONTHS, 1) if name.startswith(month[:3]))
            return _nearest(part["y1"] or part["y2"], number, int(part["d1"] or part["d2"]), today)
    except ValueError:
        return None
    if part["word"]:
        return today + timedelta(days=_DAY_WORDS[part["word"]])
    wanted = _WEEKDAYS.index(part["wd"]) if part["wd"] else min("一二三四五六日天".index(part["zhwd"]), 6)
    if part["zhnext"]:
        return today - timedelta(days=today.weekday()) + timedelta(days=7 + wanted)
    return today + timedelta(days=(wanted - today.weekday() - 1) % 7 + 1)


def _nearest(year: str | None, month: int, day: int, today: date) -> date:
    """The day in the year that is named, else in the year that brings it closest to today."""
    if year:
        return date(int(year), month, day)
    choices = [date(today.year + shift, month, day) for shift in (-1, 0, 1)]
    return min(choices, key=lambda choice: abs((choice - today).days))


def emails(text: str) -> list[str]:
    return re.findall(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", text)


def phones(text: str) -> list[str]:
    return [
        found.strip()
        for found in re.findall(r"\+?\d[\d ()-]{6,}\d", text)
        if sum(map(str.isdigit, found)) >= 7
    ]


def links(text: str) -> list[str]:
    return re.findall(r"https?://[^\s，。]+", text)


def quoted(text: str) -> list[str]:
    """Texts in quotation marks, without the marks."""
    pattern = r"\"([^\"]+)\"|“([^”]+)”|「([^」]+)」|(?<!\w)'([^']{2,})'(?!\w)|‘([^’]+)’|《([^》]+)》"
    return [next(filter(None, groups)) for groups in re.findall(pattern, text)]


_AMOUNT = re.compile(
    r"(?:[$€£¥]|\b(?:usd|eur|gbp|cny|rmb)\b)\s?(\d[\d,]*(?:\.\d+)?)"
    r"|(?<![\w.])(\d[\d,]*(?:\.\d+)?)\s?(?:[$€£¥元块]|dollars?\b|euros?\b|pounds?\b|usd\b|eur\b|gbp\b|cny\b|rmb\b)"
)


def amounts(text: str) -> list[Number]:
    """Sums of money, without their currency."""
    found = [(one or two).replace(",", "") for one, two in _AMOUNT.findall(normalised(text))]
    return [_whole(float(value)) for value in found]


# --- identifiers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Identifier:
    """Something like a number of an order. `noun` is what stood with it (`order`), "" when nothing did."""

    value: str
    noun: str
    known: bool  # the noun is one of the word lists, not just a word that stood there
    start: int


_PREFIXED = re.compile(r"(?<![\w-])[A-Za-z]{2,10}[_-](?=[\w-]*\d)[A-Za-z0-9][\w-]*(?<!-)")
_UUID = re.compile(r"(?<![\w-])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![\w-])")
_PLAIN = re.compile(r"(?<![A-Za-z0-9_.,/+-])#?\d{1,18}(?![A-Za-z0-9_%/]|[.,]\d|-\d)")
_LINK = re.compile(
    r"(?:\b(?:number|numbers|no|nr|num|id|ids|ref|reference|with|is|the|of|and|or|code)\b|[#:：.,，、&和与()\"'\s]|号码?|编号|是|的)+$"
)
_CHINESE_THINGS = sorted((w for w, c in lexicon.CHINESE.items() if c.islower()), key=len, reverse=True)


def _masked(text: str, today: date) -> str:
    """The text with everything that has digits but is no identifier blanked out, positions kept."""
    spans = [(d.start, d.end) for d in dates(text, today)]
    patterns = (
        NUMBER + r"\s*-?\s*(?:%|percent|per cent|pct|折)", _AMOUNT.pattern, _DURATION.pattern,
        r"\d{1,2}:\d{2}|\b\d{1,2}\s?(?:am|pm)\b", r"https?://\S+", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
        r"\+\d[\d ()-]{6,}\d", r"\b(?:last|latest|top|first|recent|newest)\s+\d{1,2}\b",
    )  # fmt: skip
    spans += [match.span() for pattern in patterns for match in re.finditer(pattern, text)]
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _noun_before(text: str) -> tuple[str, bool]:
    """The noun right before an identifier, looking past "number", "#" and the like; and whether the lists know it."""
    trimmed = text
    while (match := _LINK.search(trimmed)) and match.group():
        trimmed = trimmed[: match.start()]
    for word in _CHINESE_THINGS:
        if trimmed.endswith(word):
            return lexicon.CHINESE[word], True
    words = re.findall(r"[a-z]+$", trimmed)
    if not words:
        return "", False
    concept = concept_of(words[0])
    if concept:
        return (concept, True) if concept.islower() else ("", False)
    return ("", False) if words[0] in lexicon.STOP_WORDS else (words[0].rstrip("s"), False)


def identifiers(text: str, today: date) -> list[Identifier]:
    """Everything in a text that may name a thing, in order, with the noun that stands with it."""
    clean = normalised(text)
    masked = _masked(clean, today)
    found: list[Identifier] = []
    taken: list[tuple[int, int]] = []
    for pattern in (_UUID, _PREFIXED, _PLAIN):
        for match in pattern.finditer(masked):
            if any(start < match.end() and match.start() < end for start, end in taken):
                continue
            taken.append(match.span())
            noun, known = _noun_before(clean[: match.start()])
            if not noun and (
                after := re.match(r"\s*(?:号|号的|这个|那个)?\s*(订单|交易|争议|发票)", clean[match.end() :])
            ):
                noun, known = lexicon.CHINESE[after.group(1)].lower(), True
            value = _as_written(text, match.group().lstrip("#"))
            found.append(Identifier(value, noun, known, match.start()))
    found.sort(key=lambda identifier: identifier.start)
    return _with_inherited_nouns(found, clean)


def _as_written(text: str, value: str) -> str:
    at = text.lower().find(value)
    return text[at : at + len(value)] if at >= 0 else value


def _with_inherited_nouns(found: Sequence[Identifier], text: str) -> list[Identifier]:
    """`orders 1042, 1043 and 1044`: what follows in a list is of the same kind."""
    result: list[Identifier] = []
    for identifier in found:
        if result and not identifier.noun:
            last = result[-1]
            between = text[last.start + len(last.value) : identifier.start]
            if re.fullmatch(r"\s*#?\s*(?:[,，、&#和与]|and|or|\s)+\s*#?", between):
                identifier = Identifier(identifier.value, last.noun, last.known, identifier.start)
        result.append(identifier)
    return result
