"""What the machine of somebody who only asks for nodes has: where ZooKeeper is, and no more."""

from pathlib import Path

import pytest

from remuda.config.loader import load_for_user, read
from remuda.config.model import Config
from remuda.config.problems import ConfigInvalidError

_ZOOKEEPER = "zookeeper: {hosts: ['zk1.example.org:2281'], session-timeout: 20}\n"


def written(folder: Path, text: str) -> Path:
    """Return a file with that text."""
    file = folder / "remuda.yaml"
    file.write_text(text)
    return file


def test_zookeeper_alone_is_enough(tmp_path: Path) -> None:
    """Without labels and providers, whose keys and clouds are not here."""
    found = load_for_user(written(tmp_path, _ZOOKEEPER))

    assert found.zookeeper.hosts == ("zk1.example.org:2281",)
    assert found.zookeeper.session_timeout == 20
    assert not isinstance(found, Config)


def test_a_launcher_needs_the_rest(tmp_path: Path) -> None:
    """Nothing is made of that file by who makes nodes."""
    reading = read(written(tmp_path, _ZOOKEEPER))

    assert reading.config is None
    assert [problem.path for problem in reading.problems] == ["labels", "providers"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("zookeeper: {host: x}\n", "zookeeper.host"),
        (_ZOOKEEPER + "label: {}\n", "label"),
        (_ZOOKEEPER + "labels: {small: }\n", "providers: is missing"),
        (_ZOOKEEPER + "zookeeper: {tls: {}}\n", "zookeeper"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    """A slip is none the less one; a file with labels has to be whole."""
    with pytest.raises(ConfigInvalidError) as caught:
        load_for_user(written(tmp_path, text))

    assert said in str(caught.value)


def test_a_whole_file_is_returned_whole(tmp_path: Path) -> None:
    """Images of the configuration are known to `remuda image`, too."""
    found = load_for_user(
        written(
            tmp_path,
            _ZOOKEEPER + "labels: {small: }\nproviders: {a: {cloud: c, pools: {m: {labels: {small: "
            "{image: i, flavor: f}}}}}}\n",
        )
    )

    assert isinstance(found, Config)
