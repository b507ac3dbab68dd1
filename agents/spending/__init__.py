"""What models cost: prices, the ledger of model calls, budgets. See docs/spending.md."""
