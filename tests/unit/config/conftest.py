"""Files for the loader to read."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from remuda.config.loader import Reading, read
from tests.support.recipes import LABELS, Says

#: The least that is a configuration; tests change it by replacing text.
GOOD = """\
labels:
  small:
    min-ready: 1
providers:
  osic:
    cloud: osic
    pools:
      main:
        max-servers: 10
        labels:
          small:
            image: ubuntu
            flavor: m1.small
"""

#: Replaces "cloud: osic" where nodes are to be logged in to.
WITH_KEY = "cloud: osic\n    ssh-key-file: node-key"

Reads = Callable[..., Reading]


@pytest.fixture
def good() -> str:
    """The text of a configuration without problems or warnings."""
    return GOOD


@pytest.fixture
def keyed(good: str) -> str:
    """The same with a key, so that setup and checks are possible."""
    return good.replace("cloud: osic", WITH_KEY)


@pytest.fixture
def reads(tmp_path: Path) -> Reads:
    """A function that writes a text to config.yaml and reads it in an environment of its own."""

    def reader(
        text: str,
        environ: Mapping[str, str] | None = None,
        provider: str | None = None,
    ) -> Reading:
        (tmp_path / "node-key").touch(mode=0o600)
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return read(path, environ=environ or {}, provider=provider)

    return reader


@pytest.fixture
def says(reads: Reads) -> Callable[..., list[str]]:
    """A function that returns the problems of a text: ``line:column: path: message; hint``."""

    def sayer(text: str, **how: object) -> list[str]:
        return [_short(str(problem)) for problem in reads(text, **how).problems]

    return sayer


@pytest.fixture
def warns(reads: Reads) -> Callable[..., list[str]]:
    """A function that returns the warnings of a text, in the form of ``says``."""

    def warner(text: str, **how: object) -> list[str]:
        return [_short(str(warning)) for warning in reads(text, **how).warnings]

    return warner


@pytest.fixture
def told(reads: Callable[..., Reading], tmp_path: Path) -> Says:
    """A function that returns the problems of LABELS with more lines behind it, without places."""

    def teller(more: str = "", text: str = LABELS) -> list[str]:
        reading = reads(text + more)
        lines = [str(problem).split(":", 3)[3].strip() for problem in reading.problems]
        return [line.replace(str(tmp_path), "HERE") for line in lines]

    return teller


@pytest.fixture
def warned(reads: Callable[..., Reading]) -> Says:
    """The same for warnings, without their hints; there must be no problems."""

    def teller(more: str = "", text: str = LABELS) -> list[str]:
        reading = reads(text + more)
        assert reading.problems == ()
        return [f"{warning.path}: {warning.message}" for warning in reading.warnings]

    return teller


def _short(line: str) -> str:
    return line.split("config.yaml:", 1)[1]
