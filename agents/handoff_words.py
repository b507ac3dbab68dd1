"""What a customer is told when a person is asked to take over."""

from datetime import datetime

from agents.context import Desk

ASKED = {
    "en": "I have asked a colleague to take over.",
    "zh": "我已请同事接手。",
}
ASKED_BEFORE = {
    "en": "A colleague has been asked to take over already.",
    "zh": "之前已请同事接手。",
}
COULD_NOT = {
    "en": "I could not solve this, so I have asked a colleague to take over.",
    "zh": "我没能解决这个问题，已请同事接手。",
}
HERE = {
    "en": "They will answer you here.",
    "zh": "他们会在这里回复您。",
}
CLOSED = {
    "en": "Nobody is here at the moment; somebody will be from {when} and will answer you here.",
    "zh": "目前没有同事在线，{when}起会有人在这里回复您。",
}
REFERENCE = {
    "en": "Your reference is {ticket}.",
    "zh": "您的参考编号是 {ticket}。",
}
WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "zh": ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
}
MONTHS = (
    "January February March April May June July August September October November December".split()
)  # fmt: skip


def told(language: str, desk: Desk, *, own: str = "", gave_up: bool = False) -> str:
    """What to say, in `en` or `zh`: that somebody was asked, and when somebody will be there with the reference where
    nobody is. `own` is the agent's own wording of the first part; `gave_up`: nobody asked, we could not help."""
    opening = COULD_NOT if gave_up else ASKED_BEFORE if desk.asked else ASKED
    first = own if own and not desk.asked else opening[language]
    parts = [first]
    if desk.opens_at is not None:
        parts.append(CLOSED[language].format(when=_when(desk.opens_at, language)))
        if desk.ticket:
            parts.append(REFERENCE[language].format(ticket=desk.ticket))
    elif first != own:
        parts.append(HERE[language])
    return ("" if language == "zh" else " ").join(parts)


def _when(at: datetime, language: str) -> str:
    """`Monday, 23 November, 09:00 (CET)`: the business's own time, with its zone."""
    name = at.tzname() or "UTC"
    zone = name if name.isalpha() else f"UTC{at.strftime('%z')[:3]}:{at.strftime('%z')[3:]}"
    day, clock = WEEKDAYS[language][at.weekday()], f"{at:%H:%M} ({zone})"
    if language == "zh":
        return f"{at.month}月{at.day}日（{day}）{clock} "
    return f"{day}, {at.day} {MONTHS[at.month - 1]}, {clock}"
