"""The help centre: written articles, and a search that would rather find nothing than miss the point.

Ranking is BM25 (Robertson and Zaragoza, 2009) over stemmed words, a heading counting three times.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

from .calls import Answer, Call
from .help_words import COMMON, SAME

FOLDER = Path(__file__).with_name("help_articles")
TOPICS = ("shop", "saas", "bank")
HEADING_WEIGHT = 3
K1, B = 1.4, 0.6
# Found is what holds at least this share of the question's telling words, weighted by how telling they are.
# Less is
# enough for an article whose heading names one of them.
LEAST_COVERAGE = 0.6
LEAST_COVERAGE_WITH_HEADING = 0.2
SHORTEST_DOUBLED = 5
WORD = re.compile(r"[^\W_]+")
CONTRACTION = re.compile(r"(n['’]t|['’](s|re|ll|ve|d|m))\b")


class Article(NamedTuple):
    topic: str
    title: str
    text: str


class Index(NamedTuple):
    """Word counts per article, how rare each word is, and the average length."""

    articles: list[Article]
    counts: list[Counter[str]]
    rarity: dict[str, float]
    average: float


def fallback_respond(db: sqlite3.Connection, call: Call) -> Answer:
    """The articles that best answer a question; an empty list where none does."""
    question, topic = call.arguments["question"], call.arguments.get("topic")
    found = search(question, topic=topic, limit=call.arguments["limit"])
    counted = {0: "No help article fits", 1: "1 help article fits"}.get(
        len(found), f"{len(found)} help articles fit"
    )
    return Answer(
        200,
        {
            "question": question,
            "articles": [a._asdict() for a in found],
            "message": f"{counted} the question.",
        },
    )


def search(question: str, *, topic: str | None = None, limit: int = 3) -> list[Article]:
    """The best articles first, at most `limit` of them."""
    index = _index()
    asked = set(_words(question))
    # A word that no article has is as telling as the rarest one that some article has.
    unknown = max(index.rarity.values())
    telling = sum(index.rarity.get(word, unknown) for word in asked)
    ranked = []
    for number, (article, counts) in enumerate(zip(index.articles, index.counts, strict=True)):
        met = sorted(word for word in asked if word in counts)
        if not met or topic not in (None, article.topic):
            continue
        in_heading = not set(met).isdisjoint(_words(article.title))
        enough = LEAST_COVERAGE_WITH_HEADING if in_heading else LEAST_COVERAGE
        if sum(index.rarity[word] for word in met) >= enough * telling:
            ranked.append((-_score(index, counts, met), number, article))
    ranked.sort()
    # What follows far behind the best one is noise.
    return [article for score, _, article in ranked[:limit] if score <= ranked[0][0] * 0.4]


def _score(index: Index, counts: Counter[str], words: list[str]) -> float:
    length = K1 * (1 - B + B * counts.total() / index.average)
    return sum(index.rarity[word] * counts[word] * (K1 + 1) / (counts[word] + length) for word in words)


@cache
def _index() -> Index:
    articles = [article for topic in TOPICS for article in _read(topic)]
    counts = [Counter(_words(a.title) * HEADING_WEIGHT + _words(a.text)) for a in articles]
    having = Counter(word for count in counts for word in count)
    rarity = {word: math.log(1 + (len(articles) - n + 0.5) / (n + 0.5)) for word, n in having.items()}
    return Index(articles, counts, rarity, sum(count.total() for count in counts) / len(counts))


def _read(topic: str) -> list[Article]:
    """A file holds articles: a `## ` heading each, its text below it."""
    pages = (FOLDER / f"{topic}.md").read_text(encoding="utf-8").split("\n## ")[1:]
    parts = (page.partition("\n") for page in pages)
    return [Article(topic, title.strip(), " ".join(text.split())) for title, _, text in parts]


def _words(text: str) -> list[str]:
    words = (word for word in WORD.findall(CONTRACTION.sub("", text.lower())) if word not in COMMON)
    return [_stem(SAME.get(word, word)) for word in words]


def _stem(word: str) -> str:
    """The word without its English ending, crudely but the same way on both sides of the search."""
    for ending, rest in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""), ("e", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)] + rest
            break
    # cancelling, cancelled: cancel
    return word[:-1] if len(word) >= SHORTEST_DOUBLED and word[-1] == word[-2] else word
