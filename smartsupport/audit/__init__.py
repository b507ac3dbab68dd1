"""Who did what, when and from where: the audit of everything that staff and programs do. See docs/roles-and-audit.md."""
