# Smart Support on a bare machine: Python 3.11 or newer and make are enough.
#   make run     everything, with demo data; Ctrl-C stops it
#   make test    the whole suite (PYTEST_ARGS chooses: make test PYTEST_ARGS="tests/chat -k stop")
#   make check   static checks        make lint    formats the code
#   make bench   benchmarks
#   make bench-import  what becomes of 2,600 real OpenAPI documents, beside FastMCP (BENCH_ARGS="FOLDER ... --every 10")
#   make faults  kills processes at every boundary and audits what is left; the table is docs/faults.md
#   make fuzz-api  tries the REST API out with schemathesis for ten minutes (FUZZ_SECONDS=3600)
#   make audit   which packages have known holes, by pip-audit; it needs the network (docs/deployment.md)
#   make screenshots  pictures of every page of the console, into docs/images/console
#   make soak    customers, staff and faults at random for 20 minutes, then an audit (SOAK_ARGS="--minutes 1 --customers 20")
#   make rehearse-upgrade OLD=v1.2  from that commit to this code under load, then an audit (docs/deployment.md)

PYTHON ?= python3
PY = .venv/bin/python
PIP = $(PY) -m pip --disable-pip-version-check install --quiet
PYTEST_ARGS ?= -n 5 --dist loadgroup

.PHONY: run test check lint bench bench-import faults soak rehearse-upgrade screenshots audit browser nginx install install-dev clean

run: .venv/installed
	@$(PY) -m smartsupport.supervisor --with-parent

test: .venv/installed-dev browser nginx
	$(PY) -m pytest $(PYTEST_ARGS)

bench: .venv/installed-dev
	$(PY) -m tests.bench

bench-import: .venv/installed-dev
	$(PY) -m tests.bench.importing $(BENCH_ARGS)

faults: .venv/installed-dev
	$(PY) -m tests.faults --docs --control

soak: .venv/installed-dev
	$(PY) -m tests.faults.soak $(SOAK_ARGS)

rehearse-upgrade: .venv/installed-dev nginx
	$(PY) -m tests.shipping.rehearsal $(if $(OLD),--old $(OLD)) $(REHEARSAL_ARGS)

fuzz-api: .venv/installed-dev
	$(PY) -m tests.api.fuzz $(FUZZ_SECONDS)

screenshots: .venv/installed-dev browser
	$(PY) -m pytest -q tests/screenshots.py

check: .venv/installed-dev
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) .ci/check.py types
	.venv/bin/lint-imports
	$(PY) -W "ignore:Got an error checking:RuntimeWarning" manage.py makemigrations --check --dry-run
	$(PY) .ci/check.py deploy templates scripts containers schema

audit: .venv/installed-dev
	@$(PY) .ci/audit.py

lint: .venv/installed-dev
	$(PY) -m ruff check --fix --show-fixes .
	$(PY) -m ruff format .

install: .venv/installed
install-dev: .venv/installed-dev

# Debian's nginx, unless there is one; it is installed and not started.
nginx: .venv/installed-dev
	@$(PY) -m tests.shipping.nginx

# Debian's Chromium, unless there is one.
browser: .venv/installed-dev
	@$(PY) -m tests.browser

.venv/bin/python:
	@sh .ci/venv.sh "$(PYTHON)"

.venv/installed: .venv/bin/python requirements.txt
	@echo "Installing what requirements.txt names ..."
	@$(PIP) -r requirements.txt
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	@echo "Installing what requirements-dev.txt names ..."
	@$(PIP) -r requirements-dev.txt
	@touch $@

# As root, Postgres may keep its files elsewhere (docs/running.md).
clean:
	@case "$$(cat .local/postgres-location.txt 2>/dev/null)" in \
	    /var/lib/smartsupport-*) rm -rf "$$(cat .local/postgres-location.txt)" ;; \
	esac
	rm -rf .venv .local
