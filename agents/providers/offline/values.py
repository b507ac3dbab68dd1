"""Values in a sentence: percentages, durations, amounts, dates, addresses of people. English and Chinese."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from agents.lexical import normalised

Number = int | float

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen "
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
    """Every percentage, as said: `10%`, `ten percent`, `百分之十`. `打九折` (nine tenths) is 10 % off."""
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
DURATION = re.compile(
    r"(?:" + NUMBER + r"|\b(an?)\b)[ -]*(" + "|".join(sorted(UNITS, key=len, reverse=True)) + r")s?(?![a-z])"
)


def durations(text: str) -> list[tuple[Number, str]]:
    """(how many, unit in the singular): `14 days`, `two weeks`, `30天`."""
    found = []
    for match in DURATION.finditer(normalised(text)):
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
    "today": 0,
    "tonight": 0,
    "今天": 0,
    "tomorrow": 1,
    "明天": 1,
    "day after tomorrow": 2,
    "后天": 2,
    "yesterday": -1,
    "昨天": -1,
    "前天": -2,
}
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
    return re.findall(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", text)


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


AMOUNT = re.compile(
    r"(?:[$€£¥]|\b(?:usd|eur|gbp|cny|rmb)\b)\s?(\d[\d,]*(?:\.\d+)?)"
    r"|(?<![\w.])(\d[\d,]*(?:\.\d+)?)\s?(?:[$€£¥元块]|dollars?\b|euros?\b|pounds?\b|usd\b|eur\b|gbp\b|cny\b|rmb\b)"
)


def amounts(text: str) -> list[Number]:
    """Sums of money, without their currency."""
    found = [(one or two).replace(",", "") for one, two in AMOUNT.findall(normalised(text))]
    return [_whole(float(value)) for value in found]
