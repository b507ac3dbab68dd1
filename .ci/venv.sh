#!/bin/sh
# Makes .venv with the first Python that is new enough, or says in one sentence what is missing.
set -eu
wanted="$1"
for candidate in "$wanted" python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        if ! "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$candidate cannot make virtual environments: install its venv package (Debian: apt-get install python3-venv), then run make again." >&2
            exit 1
        fi
        echo "Making .venv with $("$candidate" --version) ..."
        rm -rf .venv
        "$candidate" -m venv .venv
        exit 0
    fi
done
echo "Python 3.11 or newer is needed, and $wanted is $("$wanted" --version 2>/dev/null || echo "not installed"): install one, or run make PYTHON=/path/to/python3." >&2
exit 1
