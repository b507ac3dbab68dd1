"""`flush`, which ends each test that commits, without emptying what is empty."""
