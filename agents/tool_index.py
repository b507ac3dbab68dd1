"""Finds the tools of one agent that fit a text: full-text search in Postgres over the column of migration 0006.

One statement. Each word of the request, and each that may be said instead of it, is looked up in the index by itself. A
tool gets, for each concept of the request, what the concept's best word in it is worth: the more, the more prominent it
is there (name and title, then path and arguments, then description, then the arguments' descriptions), and the fewer of
the agent's tools know the concept (inverse document frequency; between that of the word and that of the concept's
commonest word). Of two tools that know as much of it, the one comes first whose name the request says more of.
"""

from collections.abc import Sequence

from django.db import connection

from agents.tool_words import concepts

WEIGHTS = [0.1, 0.4, 0.8, 1.0]
"""What a word counts in the arguments' descriptions, the description, path and arguments' names, name and title."""

SEARCH = """
WITH asked AS (
    SELECT * FROM unnest(%(questions)s::int[], %(concepts)s::int[], %(words)s::text[], %(worths)s::float8[])
        AS asked (question, concept, words, worth)
), term AS (
    SELECT words, plainto_tsquery('pg_catalog.english', words) AS query FROM (SELECT DISTINCT words FROM asked) AS said
), mine AS (
    SELECT link.tool_id FROM agents_agenttool AS link JOIN agents_agent AS agent ON agent.id = link.agent_id
    WHERE agent.name = %(agent)s
), hit AS (
    SELECT term.words, tool.name, ts_rank(%(weights)s::float4[], tool.search, term.query) AS rank,
        (tool.of_name @@ term.query)::int * numnode(term.query) AS named, length(tool.of_name) AS length,
        count(*) OVER (PARTITION BY term.words) AS known_by
    FROM term JOIN LATERAL (
        SELECT id, name, search, ts_filter(search, '{a}') AS of_name
        FROM agents_tool WHERE enabled AND search @@ term.query OFFSET 0
    ) AS tool ON true
    WHERE tool.id IN (SELECT tool_id FROM mine)
), meant AS (
    SELECT question, concept, worth, hit.*, max(known_by) OVER (PARTITION BY question, concept) AS widely
    FROM asked JOIN hit USING (words)
), concept AS (
    SELECT question, concept, name, max(length) AS length, max(named * worth) AS named,
        max(worth * rank) * ln(1 + (sum_of.tools + 0.5) / ((max(known_by) + max(widely)) / 2.0 + 0.5)) AS score
    FROM meant, (SELECT count(*) AS tools FROM mine) AS sum_of GROUP BY question, concept, name, sum_of.tools
), ranked AS (
    SELECT question, name, row_number() OVER (
        PARTITION BY question
        ORDER BY sum(score) * (0.6 + least(1.0, sum(named) / max(length))) DESC, name COLLATE "C"
    ) AS place
    FROM concept GROUP BY question, name
)
SELECT question, name FROM ranked WHERE place <= %(limit)s ORDER BY question, place
"""


def search(agent: str, texts: Sequence[str], *, limit: int) -> list[list[str]]:
    """For each text the names of the agent's enabled tools that fit it, best first, at most `limit`; [] for a text in
    which nothing can be searched for. The same texts and tools give the same answer. Synchronous; one statement, none
    where there is nothing to search for.
    """
    asked = [
        (question, number, words, worth)
        for question, text in enumerate(texts)
        for number, concept in enumerate(concepts(text))
        for words, worth in concept.words.items()
    ]
    found: list[list[str]] = [[] for _ in texts]
    if not asked:
        return found
    questions, numbers, words, worths = (list(column) for column in zip(*asked, strict=True))
    values = {"questions": questions, "concepts": numbers, "words": words, "worths": worths}
    with connection.cursor() as cursor:
        cursor.execute(SEARCH, {**values, "agent": agent, "weights": WEIGHTS, "limit": limit})
        for question, name in cursor.fetchall():
            found[question].append(name)
    return found
