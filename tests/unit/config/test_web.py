"""Where the status endpoints of several processes on one host are."""

from collections.abc import Callable

from remuda.config.loader import Reading

Lines = Callable[..., list[str]]


def test_launchers_of_two_providers_share_a_host(reads: Callable[..., Reading], good: str) -> None:
    """Each has a port of its own; what it leaves out is as for all, and so for builders."""
    (_, one) = good.split("providers:\n")
    two = one.replace("osic:", "other:", 1).replace(
        "cloud: osic", "cloud: b\n    web: {port: 9102}"
    )
    three = one.replace("osic:", "third:", 1).replace(
        "cloud: osic", "cloud: c\n    web: {listen: '::1'}"
    )

    config = reads(f"web: {{listen: 10.0.0.1, port: 9101}}\n{good}{two}{three}").config

    assert config is not None
    named = {
        name: (config.web_of(name).listen, config.web_of(name).port)
        for name in ("osic", "other", "third", None)
    }
    assert named == {
        "osic": ("10.0.0.1", 9101),
        "other": ("10.0.0.1", 9102),
        "third": ("::1", 9101),
        None: ("10.0.0.1", 9101),
    }


def test_every_endpoint_that_is_open_is_warned_of(warns: Lines, good: str) -> None:
    """Also that of one provider."""
    (line,) = warns(good.replace("cloud: osic", "cloud: osic\n    web: {listen: 0.0.0.0}"))

    assert line.startswith("7:19: providers.osic.web.listen: is every address of this host")


def test_a_port_that_is_none(says: Lines, good: str) -> None:
    """In the words of all others."""
    lines = says(good.replace("cloud: osic", "cloud: osic\n    web: {port: 70000, list: a}"))

    assert lines == [
        "7:17: providers.osic.web.port: 70000 is out of range; must be at most 65,535",
        (
            "7:24: providers.osic.web.list: no such key; did you mean 'listen'? known here: "
            "listen, port"
        ),
    ]
