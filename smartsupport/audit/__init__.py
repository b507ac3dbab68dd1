"""Who did what, when and from where: the audit of what staff and programs do (docs/roles-and-audit.md)."""
