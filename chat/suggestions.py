"""What an empty conversation suggests to ask in the demonstrations, by template: about what the demo business has.

It knows nothing of Django, because the settings read it."""

OF_THE_DEMO = {
    "ecommerce": [
        "What is the status of order 1042?",
        "Cancel order 1043",
        "Give me a 10% discount on order 1044",
        "What is your return policy?",
    ],
    "saas": [
        "Which plan am I on?",
        "Change my plan to Business",
        "Cancel my subscription",
        "Where are my invoices?",
    ],
    "fintech": [
        "Show my latest transactions",
        "I want to dispute a transaction",
        "What is the status of my dispute?",
        "I lost my card",
    ],
}
