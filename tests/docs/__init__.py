"""Every command, example, link and quoted message of the documentation is tried."""
