"""Files that recipes copy are hashed once, and forgotten when no recipe copies them."""

from pathlib import Path

import pytest

from remuda.config import treecache, trees
from tests.unit.builder.bench import Bench, config


def test_what_no_recipe_copies_any_more_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the reload that ends it; what has not changed is not hashed again until then."""
    file = tmp_path / "file"
    file.write_text("content")
    read: list[Path] = []

    def noting(top: Path) -> object:
        read.append(top)
        return trees.survey(top)

    monkeypatch.setattr(treecache.trees, "read", noting)
    step = {"copy": {"from": str(file), "to": "/srv/file"}, "timeout": "1m", "name": "fill"}
    copying, other = config(a={"steps": [step], "paused": True}), config(a={"paused": True})
    bench = Bench(copying)
    bench.go()
    assert read == [file]
    for one in (copying, other, copying):
        bench.worker.reconfigure(one)
        bench.go()

    assert read == [file, file]
