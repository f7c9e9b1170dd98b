"""What Python itself would print: uncaught errors, and logs of commands that configure none."""

import subprocess
import sys

import pytest

STEERING = r"\x1b[2J\u202eevil password=hunter2hunter2\udc80"


@pytest.mark.parametrize(
    "statement",
    [
        "raise ValueError(text)",
        "logging.getLogger('remuda.x').warning('said %s', text)",
        "logging.getLogger('kazoo').error('said', exc_info=ValueError(text))",
        "say_crash()",
    ],
)
def test_what_python_prints_by_itself_is_filtered(statement: str) -> None:
    """It quotes the texts of errors, and these quote records."""
    code = f"""
import logging
from remuda.cli.terminal import guard_terminal, say_crash
guard_terminal()
text = "{STEERING}"
try:
    raise KeyError(text)
except KeyError:
    {statement}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    text = done.stderr.decode()

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\u202eevil" in text
    assert "hunter2" not in text
