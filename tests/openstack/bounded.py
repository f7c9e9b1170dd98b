"""Application credentials that are good for some calls only, made as docs/operations.md says."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from remuda.secret import Secret
from tests.openstack.lab.control import Lab
from tests.support.processes import ROOT

RULES: Final = ROOT / "deploy/openstack/access-rules.json"


@contextmanager
def bounded(lab: Lab, account: str, rules: Path = RULES) -> Iterator[dict[str, Any]]:
    """Make a credential of an account; give what clouds.yaml has to say to use it.

    A test that fails shows what it was called with: the credential hides in that.
    """
    name = f"remuda-{time.time_ns()}"
    words = ("create", name, "--role", "member", "--access-rules", str(rules), "-f", "json")
    made = json.loads(_credential(lab, account, *words))
    usual = lab.entry(account)
    auth = {
        "auth_url": usual["auth"]["auth_url"],
        "application_credential_id": made["ID"],
        "application_credential_secret": Secret(made["Secret"]),
    }
    try:
        yield {**usual, "auth_type": "v3applicationcredential", "auth": auth}
    finally:
        _credential(lab, account, "delete", name)


def _credential(lab: Lab, account: str, *words: str) -> str:
    done = subprocess.run(
        [
            *(str(lab.layout.venv / "bin/openstack"), "--os-cloud", account),
            *("application", "credential", *words),
        ],
        env={
            "OS_CLIENT_CONFIG_FILE": str(lab.layout.clouds_file),
            "PATH": "/usr/bin:/bin",
            "HOME": str(lab.layout.state),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:  # no assertion: that would show what was printed
        pytest.fail(done.stderr)
    return done.stdout
