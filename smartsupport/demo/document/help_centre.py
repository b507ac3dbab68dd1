"""The help centre's part of the document."""

from __future__ import annotations

from .parts import Object, many, number, query, reading, record, text

TAG = "help"
TOPICS = ["shop", "saas", "bank"]

SCHEMAS: Object = {
    "Article": record(
        "A page of the help centre.",
        {
            "topic": text("Which part of the business it is about.", enum=TOPICS),
            "title": text("Its heading."),
            "text": text("The whole text."),
        },
    ),
}

PATHS: Object = {
    "/help-centre/articles": {
        "get": reading(
            "fallback_respond",
            tag=TAG,
            summary="Search the help centre",
            description="Finds the help articles that best answer a general question: returns, shipping "
            "times, refunds, payment, passwords, invoices, lost cards, opening hours and the "
            "like. Use it when no other tool fits the question. The list is empty when no "
            "article fits.",
            parameters=(
                {
                    **query(
                        "question",
                        text("The customer's question, in their words.", minLength=1, maxLength=1000),
                    ),
                    "required": True,
                },
                query(
                    "topic",
                    text(
                        "Search one part only: the shop, the software subscription or the bank.", enum=TOPICS
                    ),
                ),
                query("limit", number("The most articles to return.", minimum=1, maximum=10, default=3)),
            ),
            answer=record(
                "What was found.",
                {
                    "question": text("The question that was searched for."),
                    "articles": many(
                        {"$ref": "#/components/schemas/Article"},
                        "The best articles first; empty when none fits.",
                    ),
                    "message": text("What was found, as a sentence."),
                },
            ),
        ),
    },
}
