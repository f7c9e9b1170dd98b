#!/bin/bash
# Make build/zuul-venv: Zuul's own client classes, which tests/conformance drives our launcher with.
#
# An environment of its own, for its licence and its dependencies are not ours. Does nothing if
# it is there and complete.
set -euo pipefail
cd "$(dirname "$0")/.."

zuul=zuul==14.3.0
wanted=tests/conformance/requirements-zuul.txt
venv=build/zuul-venv
stamp="$venv/.installed"

if [ -e "$stamp" ] && cmp --silent "$wanted" "$stamp"; then
    exit 0
fi
mkdir -p build
exec 9>build/zuul-venv.lock
flock 9
if [ -e "$stamp" ] && cmp --silent "$wanted" "$stamp"; then
    exit 0
fi
rm -rf "$venv"
python3 -m venv "$venv"
# Without its dependencies: the classes we want need a tenth of them.
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps "$zuul"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$wanted"
"$venv/bin/python" -c "import zuul.nodepool"
cp "$wanted" "$stamp"
