#!/bin/bash
# Write requirements-test.lock anew: everything that pyproject.toml allows, at its newest.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" - >"$work/wanted" <<'EOF'
import sys, tomllib

with open("pyproject.toml", "rb") as file:
    doc = tomllib.load(file)
wanted = [*doc["build-system"]["requires"], *doc["project"]["dependencies"]]
sys.stdout.write("\n".join([*wanted, *doc["project"]["optional-dependencies"]["test"]]))
EOF
"$work/venv/bin/pip" install --quiet --upgrade --requirement "$work/wanted"
{
    echo "# Exact versions that the tests run with: CPython 3.11 on Linux. Written by deploy/lock.sh."
    # Names and versions only: where they come from is the business of each machine's pip.
    "$work/venv/bin/pip" freeze --all --exclude pip --exclude wheel
} >"$work/lock"
mv "$work/lock" requirements-test.lock
