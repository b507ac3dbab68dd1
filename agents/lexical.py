"""Reading a sentence by word lists: language, requests (clauses), actions and things. Deterministic, no
model.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

from agents import lexicon

_CJK = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
_IDENTIFIER = re.compile(
    r"\b[a-z]{2,10}[_-](?=[a-z0-9_-]*\d)[a-z0-9][a-z0-9_-]*\b"
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
)
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|「[^」]*」")  # names and texts, not requests
_PERCENT = re.compile(r"\d\s*(?:%|percent|per cent)|\bpercent\b|打\s*[\d一二三四五六七八九.]+\s*折|\d\s*折")
_WANTING = re.compile(
    r"\b(?:i (?:really )?(?:want|need)|(?:i'?d|i would) (?:like|love)|(?:can|could|may) (?:i"
    r"|we) (?:please )?(?:have|get)"
    r"|(?:give|get|offer|grant) (?:me|us|my)|how about|any chance of|is there any)\b|我要|我想要"
    r"|我想|给我|给个|来个|能给|可以给|能不能"
)
_QUESTION = re.compile(
    r"[?？]|^(?:what|when|where|who|why|how|which|do|does|did|is|are|can|could|will|would)\b|什么|怎么|哪|吗|多少|几"
)
_ABOUT = re.compile(
    r"^when (?:do|does|will)\b|^(?:and |so |but )*(?:(?:what|when|why|how|how much|where) )?(?:did"
    r"|have|has|had|was|were|is|are)\b(?! there\b)"
    r"(?!.*\b(?:possible|able|way|allowed|going to)\b)|了吗|了没|[过好]了?吗|是否已"
)
_CHINESE_FILLER = set("我你您他她它的了吗呢是在给一个请帮要想和把都也就这那有没不能可以下吧啊与对从到为")


def normalised(text: str) -> str:
    """Full-width digits, signs and letters in their plain form, lower case, straight apostrophes, single
    spaces.
    """
    text = unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'").lower()
    return re.sub(r"[ \t\u3000]+", " ", text).strip()


def language_of(*texts: str) -> str:
    """`zh` or `en`: the language of the first text that has letters at all."""
    for text in texts:
        if _CJK.search(text):
            return "zh"
        if re.search(r"[A-Za-z]{2,}", text):
            return "en"
    return "en"


@dataclass(frozen=True)
class Reading:
    """The concepts in a text: `actions` (capitals), known `things`, and other `words` that no list knows."""

    actions: frozenset[str] = frozenset()
    things: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    wanting: bool = False
    question: bool = False
    asks_about: bool = False  # "has it been cancelled?": the effect is asked about, not asked for
    negated: bool = False  # "don't cancel it": the effect is named only to be ruled out

    @property
    def effects(self) -> frozenset[str]:
        return self.actions & lexicon.EFFECTS

    @property
    def reads(self) -> frozenset[str]:
        return self.actions & lexicon.READS

    @property
    def empty(self) -> bool:
        return not (self.actions or self.things)


@dataclass(frozen=True)
class Clause:
    """One request of a message. `text` keeps the customer's spelling; `reason` is what stood after
    "because".
    """

    text: str
    reading: Reading = field(default_factory=Reading)
    reason: str = ""


def _alternation(phrases: dict[str, str], *, bounded: bool) -> re.Pattern[str]:
    ordered = sorted(phrases, key=len, reverse=True)
    body = "|".join(re.escape(phrase) for phrase in ordered)
    return re.compile(rf"(?<![a-z])(?:{body})(?![a-z])" if bounded else body)


_PHRASES = _alternation(lexicon.ENGLISH_PHRASES, bounded=True)
_CHINESE = _alternation(lexicon.CHINESE, bounded=False)


_NEGATED = re.compile(
    r"\b(?:do not|don't|dont|never|did not|didn't|should not|shouldn't|not to|without) (?:please )?([a-z]+)"
    r"|(?:不要|别|不用|先别)(?:再|给我|把它)?("
    + "|".join(word for word, concept in lexicon.CHINESE.items() if concept in lexicon.EFFECTS)
    + ")"
)


def _without_negated(text: str) -> tuple[str, bool]:
    """The text without effects that are ruled out, and whether there was one."""
    negated = False

    def drop(match: re.Match[str]) -> str:
        nonlocal negated
        ruled_out = match.group(2) or concept_of(match.group(1)) in lexicon.EFFECTS
        negated = negated or bool(ruled_out)
        return " " if ruled_out else match.group()

    return _NEGATED.sub(drop, text), negated


def _stems(word: str) -> list[str]:
    """The word and its likely base forms, the word itself first."""
    forms = [word]
    if word.endswith("ies"):
        forms.append(word[:-3] + "y")
    if word.endswith("es"):
        forms.append(word[:-2])
    if word.endswith("s") and not word.endswith("ss"):
        forms.append(word[:-1])
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            base = word[: -len(ending)]
            forms += [base, base + "e"]
            if base[-1] == base[-2]:
                forms.append(base[:-1])
    return forms


def concept_of(word: str) -> str | None:
    """The concept of an English word (`cancelled` -> `CANCEL`), or None when the lists do not know it."""
    for form in _stems(word):
        if form in lexicon.ENGLISH_WORDS:
            return lexicon.ENGLISH_WORDS[form]
    return None


def _plain(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _chinese_words(text: str) -> set[str]:
    words = set()
    for run in re.findall(r"[\u3400-\u9fff]+", text):
        pairs = (run[i : i + 2] for i in range(len(run) - 1))
        words |= {pair for pair in pairs if not set(pair) & _CHINESE_FILLER}
    return words


@lru_cache(maxsize=2048)
def read(text: str) -> Reading:
    """What a sentence speaks of. Identifiers (`txn_8f3a`, e-mail addresses) count as values, not as words."""
    unquoted = _QUOTED.sub(" ", normalised(text))
    clean = _IDENTIFIER.sub(" ", unquoted if unquoted.strip() else normalised(text))
    found: set[str] = set()
    words: set[str] = set()

    def collect(match: re.Match[str], table: dict[str, str]) -> str:
        found.update(table[match.group()].split())
        return " "

    rest = _PHRASES.sub(lambda m: collect(m, lexicon.ENGLISH_PHRASES), clean)
    rest, negated = _without_negated(rest)
    rest = _CHINESE.sub(lambda m: collect(m, lexicon.CHINESE), rest)
    for word in _WORD.findall(rest):
        concept = concept_of(word)
        if concept:
            found.add(concept)
        elif word not in lexicon.STOP_WORDS and len(word) > 1:
            words.add(_plain(word))
    words |= _chinese_words(rest)
    things = {concept for concept in found if concept.islower()}
    wanting = bool(_WANTING.search(clean))
    if _PERCENT.search(clean) and not things & lexicon.TELLING_THINGS and (wanting or "折" in clean):
        things.add("discount")
    if "coupon" in things:
        things.discard("discount")
    actions = found - things
    asks_about = bool(_ABOUT.search(clean)) and not wanting and bool(actions & lexicon.EFFECTS)
    return Reading(
        actions=frozenset(actions | {"VIEW"} if asks_about else actions),
        things=frozenset(things),
        words=frozenset(words),
        wanting=wanting,
        question=bool(_QUESTION.search(clean)),
        asks_about=asks_about,
        negated=negated,
    )


# --- clauses --------------------------------------------------------------------------------------

_BREAK = re.compile(lexicon.CLAUSE_BREAK, re.IGNORECASE)
_REASON = re.compile(lexicon.REASON_WORDS, re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?;](?=\s|$)|[。！？；\n]")
_SOFT_BREAK = re.compile(r"\s*[,，]\s*|\s+(?:and|then|but)\s+|(?:并且|并|然后|另外|还有|同时)", re.IGNORECASE)
_PROTECTED = re.compile(
    r"\"[^\"]*\"|“[^”]*”|「[^」]*」|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}|\d,\d{3}\b|\b(?:no|nr|mr|mrs|ms|dr)\.",
    re.IGNORECASE,
)
_TEMPORAL_SINCE = re.compile(
    r"since\s+(?:last|yesterday|mon|tue|wed|thu|fri|sat|sun|the |\d|jan|feb|mar|apr|may)", re.I
)


def _single_spaced(message: str) -> str:
    """Each run of white space as one space or line break: the breaks below try every place in a run anew."""
    return re.sub(r"\s+", lambda run: "\n" if "\n" in run.group() else " ", message)


def _cut_reason(message: str) -> tuple[str, str]:
    """The message without its reason, and the reason ("" when it gives none)."""
    start = _REASON.search(message)
    if not start or _TEMPORAL_SINCE.match(message[start.start() :]):
        return message, ""
    end = _SENTENCE_END.search(message, start.end())
    stop = end.start() if end else len(message)
    for soft in _SOFT_BREAK.finditer(message, start.end(), stop):
        rest = read(message[soft.end() : stop])
        if rest.effects or rest.wanting or (rest.reads and rest.question):
            stop = soft.start()
            break
    reason = re.sub(r"(?i)[ ,.!]+(?:thanks|thank you|please)[ .!]*$", "", message[start.end() : stop])
    reason = reason.strip(" ,，.。!:：")
    return message[: start.start()] + " " + message[stop:], reason


def _pieces(message: str) -> list[str]:
    """The message cut at clause breaks, never inside quotes, addresses or numbers."""
    kept: list[str] = []

    def hide(match: re.Match[str]) -> str:
        kept.append(match.group())
        return f"\ue000{len(kept) - 1}\ue001"

    hidden = _PROTECTED.sub(hide, message)
    pieces = _BREAK.split(hidden)
    shown = (re.sub(r"\ue000(\d+)\ue001", lambda m: kept[int(m.group(1))], piece) for piece in pieces)
    return [piece.strip(" ,，.。!！") for piece in shown if piece.strip(" ,，.。!！?？")]


def _belongs_to_previous(reading: Reading, previous: Reading) -> bool:
    if reading.actions or reading.things & lexicon.TELLING_THINGS - previous.things:
        return False
    return reading.things <= previous.things


def _together(one: Reading, other: Reading) -> Reading:
    """Both readings in one; cheaper than reading the joined text again for each piece of a long list."""
    things = one.things | other.things
    return Reading(
        actions=one.actions | other.actions,
        things=things - {"discount"} if "coupon" in things else things,
        words=one.words | other.words,
        wanting=one.wanting or other.wanting,
        question=one.question or other.question,
        asks_about=one.asks_about or other.asks_about,
        negated=one.negated or other.negated,
    )


@lru_cache(maxsize=512)
def clauses(message: str) -> tuple[Clause, ...]:
    """The requests of a message in order. Bare values ("... and 1043") join the request before them."""
    asked, reason = _cut_reason(_single_spaced(message))
    found: list[Clause] = []
    for piece in _pieces(asked):
        reading = read(piece)
        if found and not found[-1].reading.empty and _belongs_to_previous(reading, found[-1].reading):
            found[-1] = Clause(f"{found[-1].text}, {piece}", _together(found[-1].reading, reading))
        else:
            found.append(Clause(text=piece, reading=reading))
    if reason:
        owner = max(range(len(found)), key=lambda i: (bool(found[i].reading.effects), i), default=None)
        if owner is not None:
            found[owner] = Clause(found[owner].text, found[owner].reading, reason)
    return tuple(found)


# --- whole messages -------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _bare(message: str) -> str:
    bare = re.sub(r"[.,!?;:…~。，！？；：、()\-]+", " ", normalised(message))
    return re.sub(r"\s+", " ", bare.strip())


def _covers(pattern: str, message: str) -> bool:
    return re.fullmatch(pattern, _bare(message), re.IGNORECASE) is not None


def is_noise(message: str) -> bool:
    """True for a message without a request: `hmm`, `嗯...`, `?`, `ok so`."""
    return not re.search(r"[^\W_]", message) or _covers(lexicon.NOISE, message)


def is_greeting(message: str) -> bool:
    return _covers(lexicon.GREETING, message)


def is_thanks(message: str) -> bool:
    return _covers(lexicon.THANKS, message)


def is_goodbye(message: str) -> bool:
    return _covers(lexicon.GOODBYE, message)


def is_affirmation(message: str) -> bool:
    return _covers(lexicon.AFFIRMATION, message)


def is_small_talk(message: str) -> bool:
    return is_greeting(message) or is_thanks(message) or is_goodbye(message)


def asks_for_person(message: str) -> bool:
    """True when the customer says in so many words that a person should take over."""
    return re.search(lexicon.PERSON_REQUEST, normalised(message)) is not None


def is_only_values(message: str) -> bool:
    """True for an answer that is nothing but a value: `1042`, `10%`, `txn_8f3a`, `it's 1042`, `tomorrow`."""
    reading = read(message)
    return (
        bool(re.search(r"\d|@|\b(?:today|tomorrow)\b|今天|明天", message))
        and reading.empty
        and len(reading.words) <= 1
    )


def ends_with_question(text: str) -> bool:
    return text.rstrip(" *_)`\"'").endswith(("?", "？"))
