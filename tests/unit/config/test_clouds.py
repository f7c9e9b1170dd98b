"""The clouds that providers name."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remuda.config.loader import Reading

Lines = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder and home without any clouds.yaml."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def clouds(tmp_path: Path) -> Path:
    """A clouds.yaml beside the configuration."""
    path = tmp_path / "clouds.yaml"
    path.write_text(
        "clouds:\n  osic: {region_name: a, auth: {password: s3cret}}\n"
        "  both: {regions: [a, {name: b}]}\n"
    )
    path.chmod(0o600)
    return path


def test_a_cloud_that_the_named_file_has(
    says: Lines, warns: Lines, good: str, clouds: Path
) -> None:
    """With and without a region."""
    text = f"clouds-file: {clouds.name}\n" + good

    assert says(text) == []
    assert warns(text) == []
    assert warns(text.replace("cloud: osic", "cloud: both\n    region: b")) == []


@pytest.mark.usefixtures("clouds")
def test_a_cloud_that_the_named_file_lacks(says: Lines, warns: Lines, good: str) -> None:
    """A problem, unless it is the cloud of a provider that another host serves."""
    text = "clouds-file: clouds.yaml\n" + good.replace("cloud: osic", "cloud: osik")

    (line,) = says(text)
    assert line.startswith("7:12: providers.osic.cloud: /")
    assert line.endswith(
        "clouds.yaml has no cloud 'osik'; did you mean 'osic'? known here: both, osic"
    )
    assert says(text, provider="other") == []
    assert len(warns(text, provider="other")) == 1


@pytest.mark.usefixtures("clouds")
def test_a_region_that_the_cloud_lacks_is_warned_of(warns: Lines, good: str) -> None:
    """The OpenStack client may know it from elsewhere."""
    text = "clouds-file: clouds.yaml\n" + good.replace("cloud: osic", "cloud: osic\n    region: b")

    assert warns(text) == [
        "8:13: providers.osic.region: clouds.yaml has no region 'b' for it; known here: a"
    ]


@pytest.mark.usefixtures("clouds")
def test_a_cloud_for_capsules_that_the_file_lacks(says: Lines, warns: Lines, good: str) -> None:
    """Machines are made without it, so nobody is kept from starting."""
    text = "clouds-file: clouds.yaml\n" + good + "\ncapsules:\n  swift: {cloud: osik}\n"

    assert says(text) == []
    (line,) = warns(text)
    assert "capsules.swift.cloud: /" in line
    assert line.endswith(
        "clouds.yaml has no cloud 'osik'; did you mean 'osic'? known here: both, osic"
    )


def test_a_found_clouds_yaml_is_only_warned_by(
    says: Lines, warns: Lines, good: str, elsewhere: Path, clouds: Path
) -> None:
    """It may not be the one that the daemon will use."""
    clouds.rename(elsewhere / "clouds.yaml")
    text = good.replace("cloud: osic", "cloud: nope")

    assert says(text) == []
    assert warns(text)[0].endswith("has no cloud 'nope'; known here: both, osic")


def test_the_places_where_the_client_looks(
    warns: Lines, good: str, tmp_path: Path, clouds: Path
) -> None:
    """The variable first, then the home."""
    home = tmp_path / "home"
    (home / ".config" / "openstack").mkdir(parents=True)
    clouds.rename(home / ".config" / "openstack" / "clouds.yml")
    other = tmp_path / "other.yaml"
    other.write_text("clouds: {nope: {}}")
    text = good.replace("cloud: osic", "cloud: nope")

    assert len(warns(text, environ={"HOME": str(home)})) == 1
    assert warns(text, environ={"HOME": str(home), "OS_CLIENT_CONFIG_FILE": str(other)}) == []
    assert warns(text, environ={}) == []


def test_the_cloud_of_the_environment_is_in_no_file(
    warns: Lines, good: str, clouds: Path, elsewhere: Path
) -> None:
    """The client makes it from OS_* variables."""
    clouds.rename(elsewhere / "clouds.yaml")

    assert warns(good.replace("cloud: osic", "cloud: envvars")) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("password: [s3cret\nx", "is not YAML, at line 2"),
        ("", "has no clouds; its top level needs clouds:, and names below"),
        ("- a", "has no clouds; its top level needs clouds:, and names below"),
        ("clouds: [a]", "has no clouds; its top level needs clouds:, and names below"),
        ("clouds: {}", "has no clouds; its top level needs clouds:, and names below"),
    ],
)
def test_a_named_file_that_is_no_use(
    says: Lines, good: str, clouds: Path, content: str, complaint: str
) -> None:
    """Nothing of its content is shown."""
    clouds.write_text(content)

    (line,) = says("clouds-file: clouds.yaml\n" + good)

    assert line == f"1:14: clouds-file: {clouds} {complaint}"


def test_a_named_file_that_is_missing(says: Lines, good: str, tmp_path: Path) -> None:
    """Said once."""
    assert says("clouds-file: no.yaml\n" + good) == [
        f"1:14: clouds-file: 'no.yaml' does not exist; looked for in {tmp_path}"
    ]


def test_odd_entries_of_clouds_yaml_do_no_harm(says: Lines, good: str, clouds: Path) -> None:
    """It is another program's file."""
    clouds.write_text("clouds: {osic: {regions: [1, {}, [a]], region_name: 3}, x: [], y: }")

    assert says("clouds-file: clouds.yaml\n" + good) == []


@pytest.mark.usefixtures("clouds")
@pytest.mark.parametrize("name", ["clouds.yaml", "clouds.yml"])
def test_the_file_beside_the_configuration_is_found(
    reads: Callable[..., Reading], good: str, tmp_path: Path, name: str
) -> None:
    """As deploy/ puts it there; its clouds must be those of the providers, as if it were named."""
    (tmp_path / "clouds.yaml").rename(tmp_path / name)

    config = reads(good).config
    wrong = reads(good.replace("cloud: osic", "cloud: osik"))

    assert config is not None
    assert config.clouds_file == str(tmp_path / name)
    assert str(tmp_path / name) in reads(good).files
    assert "has no cloud 'osik'" in str(wrong.problems[0])


@pytest.mark.usefixtures("clouds")
@pytest.mark.parametrize(
    ("change", "environ"),
    [
        (("", ""), {"OS_CLIENT_CONFIG_FILE": "/no/where"}),
        (("cloud: osic", "cloud: envvars"), {}),
    ],
)
def test_the_file_beside_it_yields_to_what_is_said(
    reads: Callable[..., Reading], good: str, change: tuple[str, str], environ: dict[str, str]
) -> None:
    """By the variable of the OpenStack client, or by a cloud that is in the environment."""
    config = reads(good.replace(*change), environ).config

    assert config is not None
    assert config.clouds_file is None


@pytest.mark.usefixtures("clouds")
@pytest.mark.parametrize(
    ("entry", "region"),
    [
        ("cloud: osic", "a"),
        ("cloud: osic\n    region: b", "b"),
        ("cloud: both", None),
        ("cloud: both\n    region: b", "b"),
    ],
)
def test_the_region_is_that_of_the_cloud(
    reads: Callable[..., Reading], good: str, entry: str, region: str | None
) -> None:
    """Unless clouds.yaml names several: then the OpenStack client takes the first."""
    config = reads(good.replace("cloud: osic", entry)).config

    assert config is not None
    assert config.providers["osic"].region == region


@pytest.mark.usefixtures("clouds")
def test_two_providers_of_one_region_are_noticed_however_it_is_said(
    reads: Callable[..., Reading], good: str
) -> None:
    """By clouds.yaml in one, and in words in the other."""
    (_, one) = good.split("providers:\n")
    again = one.replace("osic:", "other:", 1).replace("cloud: osic", "cloud: osic\n    region: a")

    (warning,) = reads(good + again).warnings

    assert "has the same cloud and region as provider 'osic'" in str(warning)
