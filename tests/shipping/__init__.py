"""How the product is shipped: the image's commands, nginx, stops, backups, keys and upgrades, on real processes."""
