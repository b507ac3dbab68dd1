"""What belongs to a customer, and how it is given to them, taken away when they ask, and forgotten with time. See
docs/privacy.md.

`registry` names every table that leads to a customer. `emptying` takes conversations away, or the words and the person
out of them. `forgetting` does so after RETENTION_DAYS, `erasing` when somebody asks; `exporting` writes a person's own
file.
"""
