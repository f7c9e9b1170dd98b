#!/bin/bash
# Write the locks anew: everything that pyproject.toml allows, at its newest, with the hash of every
# file of each release, so that an installation is what was tested, wherever its files come from.
# With KEEP=1 releases that are locked already stay.
#
#   requirements.lock       what launchers and requestors need (with SASL, without the sandbox)
#   requirements-test.lock  that, the sandbox, and what the tests need
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'pip-tools>=7.4,<8'

lock() { # lock FILE EXTRA...: compile the dependencies with those extras
    local file=$1
    shift
    "$work/venv/bin/python" - "$@" >"$work/wanted.in" <<'EOF'
import sys, tomllib

with open("pyproject.toml", "rb") as file:
    doc = tomllib.load(file)
wanted = [*doc["build-system"]["requires"], *doc["project"]["dependencies"]]
for extra in sys.argv[1:]:
    wanted += doc["project"]["optional-dependencies"][extra]
sys.stdout.write("\n".join(one for one in wanted if not one.startswith("remuda[")))
EOF
    local how=(--upgrade)
    rm -f "$work/lock"
    if [ "${KEEP:-}" = 1 ] && [ -e "$file" ]; then
        cp "$file" "$work/lock"
        how=()
    fi
    # Names, versions and hashes only: where they come from is the business of each machine's pip.
    "$work/venv/bin/pip-compile" --quiet "${how[@]}" --generate-hashes --allow-unsafe \
        --strip-extras --no-annotate --no-header --output-file "$work/lock" "$work/wanted.in"
    {
        echo "# Exact versions with hashes: CPython 3.11 on Linux. Written by deploy/lock.sh."
        sed '/^$/d; /^--/d; /^# The following packages/d' "$work/lock"
    } >"$work/new"
    mv "$work/new" "$file"
}

lock requirements.lock sasl
lock requirements-test.lock sasl sandbox test
