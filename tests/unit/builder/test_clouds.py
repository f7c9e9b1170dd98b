"""Clouds over reloads: kept while nothing changes, closed when nobody uses them."""

from pathlib import Path

import pytest

from builder.place.clouds import Clouds, ProviderCloud, openstack
from remuda.cloud.api import CloudConfigError
from remuda.config.model import Config
from remuda.metrics.sink import NullMetrics
from remuda.model import tags
from remuda.model.ids import ProviderName
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.glance import FakeGlance
from tests.fakes.image_store import FakeImages
from tests.unit.builder.bench import config

CONFIG = config(a={})


class Maker:
    """Makes clouds, and keeps them.

    Attributes:
        settings: What clouds are made of now, by provider; "bad" cannot be used.
    """

    def __init__(self) -> None:
        self.settings = {"p": "1", "q": "1"}
        self.made: list[FakeCloud] = []

    def __call__(self, _config: Config, provider: str) -> ProviderCloud:
        """Make one."""
        if self.settings[provider] == "bad":
            raise CloudConfigError("bad")
        cloud = FakeCloud(ManualClock())
        self.made.append(cloud)
        return ProviderCloud(
            cloud=cloud,
            images=FakeImages(cloud, FakeGlance()),
            owner=tags.Owner(installation="us", provider=ProviderName(provider)),
            made_of=(provider, self.settings[provider]),
        )

    def open(self) -> int:
        """Return how many are open."""
        return sum(not one.closed for one in self.made)


def test_a_cloud_whose_settings_have_not_changed_is_kept() -> None:
    """With its token; another one is made anew, and the old one closed."""
    make = Maker()
    clouds = Clouds(make=make)
    clouds.adopt(CONFIG, ("p", "q"))
    p, q = clouds.of("p"), clouds.of("q")
    make.settings["q"] = "2"
    clouds.adopt(CONFIG, ("p", "q"))

    assert clouds.of("p") is p
    assert clouds.of("q") is not q
    assert make.open() == 2
    assert not make.made[0].closed
    assert make.made[1].closed


def test_a_cloud_is_closed_when_its_last_hand_ends() -> None:
    """Hands that have begun after it was replaced do not keep it."""
    make = Maker()
    clouds = Clouds(make=make)
    clouds.adopt(CONFIG, ("p",))
    with clouds.used():
        (old,) = make.made
        make.settings["p"] = "2"
        clouds.adopt(CONFIG, ("p",))
        with clouds.used():
            assert not old.closed
        clouds.adopt(CONFIG, ())
        assert not old.closed
        assert make.open() == 2

    assert old.closed
    assert make.open() == 0


def test_nothing_changes_when_a_cloud_cannot_be_made() -> None:
    """What was made of the others is closed."""
    make = Maker()
    clouds = Clouds(make=make)
    clouds.adopt(CONFIG, ("p", "q"))
    before = clouds.known()
    make.settings["q"] = "bad"
    with pytest.raises(CloudConfigError):
        clouds.adopt(CONFIG, ("p", "q"))

    assert clouds.known() is before
    assert make.open() == 2


def test_a_real_cloud_is_the_same_as_long_as_clouds_yaml_says_the_same(tmp_path: Path) -> None:
    """Its password is part of what it says."""
    file = tmp_path / "clouds.yaml"

    def made_of(password: str) -> object:
        file.write_text(
            "clouds:\n  p:\n    auth:\n      auth_url: http://127.0.0.1:9\n"
            f"      username: u\n      password: {password}\n      project_name: x\n"
        )
        one = openstack(
            CONFIG.model_copy(update={"clouds_file": str(file)}),
            "p",
            installation="us",
            metrics=NullMetrics(),
            clock=ManualClock(),
        )
        one.cloud.close()
        assert password not in repr(one)
        return one.made_of

    assert made_of("first-one") == made_of("first-one")
    assert made_of("first-one") != made_of("second-one")
