"""The pages of the documentation, read as GitHub reads them: fenced blocks, code in a line, links, headings."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INDEX = "docs/README.md"
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE
)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block. `line` is that of its fence."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The lines of a shell, continued ones joined, without comments."""
        joined = re.sub(r"\\\n\s*", "", self.text)
        lines = (re.sub(r"(^|\s+)#.*", "", line).strip() for line in joined.splitlines())
        return [line for line in lines if line]


def names() -> list[str]:
    """All pages, by their paths from the checkout's root."""
    found = sorted((ROOT / "docs").rglob("*.md"))
    return [
        *(str(page.relative_to(ROOT)) for page in found),
        *(
            name
            for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
            if (ROOT / name).exists()
        ),
    ]


@cache
def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def blocks(*languages: str) -> list[Block]:
    """The fenced blocks of all pages, or those of these languages."""
    return [
        block for page in names() for block in _blocks(page) if not languages or block.language in languages
    ]


def _blocks(page: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(text(page)):
        line = text(page).count("\n", 0, match.start()) + 1
        dedented = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        found.append(Block(page, line, match["language"], dedented))
    return found


def prose(page: str) -> str:
    """The page without its fenced blocks."""
    return FENCE.sub("", text(page))


def links(page: str) -> list[str]:
    return LINK.findall(CODE.sub("", prose(page)))


@cache
def anchors(page: str) -> frozenset[str]:
    """What `#...` may name: GitHub's rule for headings, the second of a name with `-1`."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in HEADING.findall(prose(page)):
        words = (
            LINK.sub(lambda link: link[0][1 : link[0].index("]")], heading).replace("`", "").strip().lower()
        )
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return frozenset(found)
