CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE customers (
  customer_id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, city TEXT NOT NULL,
  country TEXT NOT NULL, currency TEXT NOT NULL, created_at TEXT NOT NULL
) STRICT;

-- Shop. Amounts are cents of the order's currency.
CREATE TABLE orders (
  order_id INTEGER PRIMARY KEY, customer_id TEXT NOT NULL REFERENCES customers,
  status TEXT NOT NULL CHECK (status IN ('paid', 'processing', 'shipped', 'delivered', 'cancelled')),
  placed_at TEXT NOT NULL, currency TEXT NOT NULL, shipping_cents INTEGER NOT NULL, discount_percent INTEGER,
  payment_method TEXT NOT NULL, ship_to TEXT NOT NULL, expected_dispatch_on TEXT NOT NULL,
  expected_delivery_on TEXT NOT NULL, carrier TEXT, tracking_number TEXT, shipped_at TEXT, delivered_at TEXT,
  cancelled_at TEXT, cancel_reason TEXT, refunded_cents INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX orders_by_customer ON orders (customer_id, placed_at);
CREATE TABLE order_items (
  order_id INTEGER NOT NULL REFERENCES orders, line INTEGER NOT NULL, sku TEXT NOT NULL, name TEXT NOT NULL,
  quantity INTEGER NOT NULL, unit_cents INTEGER NOT NULL, PRIMARY KEY (order_id, line)
) STRICT;
CREATE TABLE tracking_events (
  order_id INTEGER NOT NULL REFERENCES orders, at TEXT NOT NULL, place TEXT NOT NULL, description TEXT NOT NULL,
  PRIMARY KEY (order_id, at)
) STRICT;
CREATE TABLE coupons (
  code TEXT PRIMARY KEY, customer_id TEXT NOT NULL REFERENCES customers, discount_percent INTEGER NOT NULL,
  created_at TEXT NOT NULL, expires_at TEXT NOT NULL, order_id INTEGER REFERENCES orders,
  voided_at TEXT
) STRICT;
CREATE INDEX coupons_by_customer ON coupons (customer_id, created_at);

-- Software subscription: one account and one subscription a customer.
CREATE TABLE subscriptions (
  customer_id TEXT PRIMARY KEY REFERENCES customers, workspace TEXT NOT NULL, plan TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('trialing', 'active', 'past_due', 'cancelled')), seats INTEGER NOT NULL,
  seats_used INTEGER NOT NULL, storage_used_gb INTEGER NOT NULL, started_at TEXT NOT NULL,
  period_started_on TEXT NOT NULL, period_ends_on TEXT NOT NULL, cancel_at_period_end INTEGER NOT NULL DEFAULT 0,
  cancel_reason TEXT, ended_on TEXT
) STRICT;
CREATE TABLE invoices (
  invoice_id INTEGER PRIMARY KEY, customer_id TEXT NOT NULL REFERENCES customers, issued_on TEXT NOT NULL,
  due_on TEXT NOT NULL, description TEXT NOT NULL, amount_cents INTEGER NOT NULL, currency TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('paid', 'open', 'overdue'))
) STRICT;
CREATE INDEX invoices_by_customer ON invoices (customer_id, issued_on);

-- Bank: one current account a customer. A debit is negative.
CREATE TABLE accounts (
  customer_id TEXT PRIMARY KEY REFERENCES customers, account_number TEXT NOT NULL, currency TEXT NOT NULL,
  opening_cents INTEGER NOT NULL
) STRICT;
CREATE TABLE transactions (
  transaction_id INTEGER PRIMARY KEY, customer_id TEXT NOT NULL REFERENCES customers, at TEXT NOT NULL,
  kind TEXT NOT NULL, description TEXT NOT NULL, amount_cents INTEGER NOT NULL, currency TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'posted'))
) STRICT;
CREATE INDEX transactions_by_customer ON transactions (customer_id, at);
CREATE TABLE disputes (
  dispute_id INTEGER PRIMARY KEY, customer_id TEXT NOT NULL REFERENCES customers,
  transaction_id INTEGER NOT NULL UNIQUE REFERENCES transactions, reason TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('received', 'under_review', 'refunded', 'rejected')), filed_at TEXT NOT NULL
) STRICT;
CREATE TABLE dispute_events (
  dispute_id INTEGER NOT NULL REFERENCES disputes, line INTEGER NOT NULL, at TEXT NOT NULL,
  description TEXT NOT NULL, PRIMARY KEY (dispute_id, line)
) STRICT;

-- What was done, and what was answered. Both are written in the transaction of the effect itself.
CREATE TABLE journal (
  position INTEGER PRIMARY KEY, at TEXT NOT NULL, operation TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
  body TEXT NOT NULL, idempotency_key TEXT
) STRICT;
CREATE TABLE answers (
  idempotency_key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT;
