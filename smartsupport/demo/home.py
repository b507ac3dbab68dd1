"""The page for people who open the server's address in a browser."""

HOME_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Demo business API</title>
<style>
  :root { color-scheme: light dark; font: 1rem/1.6 system-ui, sans-serif; }
  body { max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
  code { font-size: .95em; }
</style>
<h1>Demo business API</h1>
<p>This is a made-up business to try Smart Support on: a shop, a software subscription and a bank.
Its customers, orders and payments were generated; none of them is real.</p>
<ul>
  <li><a href="/openapi.json">The OpenAPI document</a>: everything the business can do.</li>
  <li><a href="/_journal">The journal</a>: every change that took place, oldest first.</li>
  <li><a href="/_faults">The faults</a> that the server was told to make.</li>
  <li><a href="/_health">The health check</a>.</li>
</ul>
<p>To start with: <a href="/shop/customers/cus_1001/orders/1042">order 1042</a> of customer
<code>cus_1001</code>.</p>
</html>
"""
