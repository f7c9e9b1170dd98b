"""The images of `remuda dev`, to play with: made ahead, by jobs, and on first use. Pure."""

from collections.abc import Sequence
from typing import Any, Final

IMAGE: Final = "tools"
#: The label whose machines boot it.
LABEL: Final = "tooled"
#: The image that is made of a job's machine, and the label whose machines boot it.
CAPTURED: Final = "oneiric"
#: What a job leaves on its machine, for those that boot it later.
LEFT: Final = "/srv/left"
#: Of the machines of this label it may be captured.
CAPTURED_OF: Final = "small"
#: The image that is made when somebody uses it, and the label whose machines boot it.
ON_DEMAND: Final = "seldom"
#: On such a machine: the name of the one on which the recipe was run.
MADE_ON: Final = "/srv/made-on"
SCRIPT_NAME: Final = "install-tools.sh"
#: What the script installs.
TOOL: Final = "/usr/local/bin/release"
#: Changing it makes a new build: the fingerprint of a recipe holds the scripts that it names.
SCRIPT: Final = f"""\
#!/bin/sh
# Makes the image "tools". Change this file, and a builder makes a new build of it.
set -eu
version=1
echo "installing tools $version"
cat >{TOOL} <<END
#!/bin/sh
echo "tools $version"
END
chmod 755 {TOOL}
"""
_RUNS: Final = f"""\
test -x {TOOL} || {{ echo "nobody may run it"; exit 1; }}
release
"""


def making(providers: Sequence[str]) -> dict[str, Any]:
    """Return what a recipe says beside what it starts from.

    The first of the *providers* makes it, the others take it over.
    """
    return {
        **_made_once(providers),
        "steps": [
            {
                "name": "install tools",
                "script": {"file": SCRIPT_NAME},
                "timeout": "1m",
                "as-root": True,
            }
        ],
        # On the build machine, before there is a snapshot; and on what has booted from it.
        "checks-before": [_check("release can be run", _RUNS)],
        "checks": [_check("release says its version", "release | grep '^tools [0-9]'")],
    }


def captured() -> dict[str, Any]:
    """Return what is said of the image that jobs make of their machines."""
    rule = {"labels": [CAPTURED_OF], "requestors": [".*"]}
    return {"capture": rule, "checks": [_check("the job's work is there", f"test -s {LEFT}")]}


def on_demand(providers: Sequence[str]) -> dict[str, Any]:
    """Return what is said of the image that is made on first use, beside what it starts from."""
    step = {"command": f"hostname >{MADE_ON}", "timeout": "1m", "as-root": True}
    return {**_made_once(providers), "build": "on-demand", "ttl": "1h", "steps": [step]}


def _made_once(providers: Sequence[str]) -> dict[str, Any]:
    first, *others = providers
    return {"providers": {first: None, **{one: {"copy-from": first} for one in others}}}


def _check(name: str, script: str) -> dict[str, Any]:
    return {"name": name, "script": {"inline": script}}
