"""Programs for people who work on this repository; the product does not import them."""
