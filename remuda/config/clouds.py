"""clouds.yaml: which one is it, and do the clouds that providers name exist in it?

Only names are read of it, those of clouds and of regions.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Final

from remuda.config.document import NotYamlError, parse
from remuda.config.hostfiles import HostFiles
from remuda.config.misspellings import misspelled
from remuda.config.model import Config, Provider
from remuda.config.name_guesses import nearest, nearest_of
from remuda.config.raw import entries, mapping
from remuda.config.sources import CONFIG_BYTES_MAX, UnreadableError

#: Where the OpenStack client looks, in its order; it takes the first that exists.
_SYSTEM_FOLDER: Final = "/etc/openstack"
_NAMES: Final = ("clouds.yaml", "clouds.yml", "clouds.json")
_VARIABLE: Final = "OS_CLIENT_CONFIG_FILE"
#: The cloud that the OpenStack client makes from OS_* variables.
_FROM_ENVIRONMENT: Final = "envvars"


def name_clouds_file(data: dict[str, object], host: HostFiles, environ: Mapping[str, str]) -> None:
    """Name the clouds.yaml beside the configuration in *data*, if nothing else says which it is.

    A process that systemd starts has no other place to look: its working folder is ``/``.
    """
    unsure = "clouds-file" in misspelled(Config, data) or environ.get(_VARIABLE)
    by_environment = any(
        provider.get("cloud") == _FROM_ENVIRONMENT for _, provider in entries(data, "providers")
    )
    if data.get("clouds-file") is not None or unsure or by_environment:
        return
    name = next((name for name in _NAMES if (host.folder / name).is_file()), None)
    if name is not None:
        data["clouds-file"] = name


def check_clouds(data: object, host: HostFiles, environ: Mapping[str, str]) -> None:
    """Complain of providers whose cloud or region clouds.yaml does not have; fill in regions.

    The region that clouds.yaml names for a cloud stands in *data* afterwards: node records and
    machines are told of it.

    A named ``clouds-file`` must have them; one found where the OpenStack client looks is not
    certain to be the one it will use, so there it is a warning.
    """
    named = mapping(data).get("clouds-file")
    if not isinstance(named, str | None) or "clouds-file" in misspelled(Config, mapping(data)):
        return  # nobody knows which file is meant
    file = FilePath(named) if isinstance(named, str) else _found(environ)
    if file is None or not file.is_absolute():
        return
    known = _known(file, host, named=named is not None)
    if known is None:
        return
    for name, provider in entries(data, "providers"):
        path = ("providers", name, "cloud")
        cloud = provider.get("cloud")
        if not isinstance(cloud, str) or cloud == _FROM_ENVIRONMENT:
            continue
        if cloud not in known:
            complain = host.complain(path) if named else host.report.warning
            complain(path, f"{file} has no cloud {cloud!r}", nearest_of(cloud, known))
        elif provider.get("region") is None:
            _fill_in(provider, known[cloud])
        else:
            _check_region(provider.get("region"), known[cloud], name, host)
    _check_capsules(mapping(mapping(data).get("capsules")).get("swift"), known, file, host)


def _check_capsules(
    swift: object, known: Mapping[str, object], file: FilePath, host: HostFiles
) -> None:
    """Warn of a store without an account: machines are made all the same."""
    cloud = mapping(swift).get("cloud")
    if isinstance(cloud, str) and cloud not in known and cloud != _FROM_ENVIRONMENT:
        path = ("capsules", "swift", "cloud")
        host.report.warning(path, f"{file} has no cloud {cloud!r}", nearest_of(cloud, known))


def _fill_in(provider: Mapping[str, object], regions: tuple[str, ...]) -> None:
    if (
        len(regions) == 1
        and isinstance(provider, dict)
        and "region" not in misspelled(Provider, provider)
    ):
        provider["region"] = regions[0]


def _check_region(region: object, regions: tuple[str, ...], name: str, host: HostFiles) -> None:
    if isinstance(region, str) and regions and region not in regions:
        path = ("providers", name, "region")
        host.report.warning(
            path, f"clouds.yaml has no region {region!r} for it", nearest(region, regions)
        )


def _known(file: FilePath, host: HostFiles, *, named: bool) -> Mapping[str, tuple[str, ...]] | None:
    """Return the regions of each cloud in *file*, or None after a complaint that it is no use."""
    complain = host.report.problem if named else host.report.warning
    at = ("clouds-file",)
    try:
        document = parse(host.sources.read(file, bytes_max=CONFIG_BYTES_MAX))
    except UnreadableError as error:
        if not named:  # a named one was looked at before, with all other files
            complain(at, f"{file} {error}")
        return None
    except NotYamlError as error:
        # Not the error's own words: they may quote a password.
        complain(at, f"{file} is not YAML, at line {error.place.line}")
        return None
    if not isinstance(document.data, dict) or not mapping(document.data.get("clouds")):
        complain(at, f"{file} has no clouds", "its top level needs clouds:, and names below")
        return None
    return {name: _regions(cloud) for name, cloud in entries(document.data, "clouds")}


def _regions(cloud: Mapping[str, object]) -> tuple[str, ...]:
    listed = cloud.get("regions")
    if isinstance(listed, list):
        names = [mapping(item).get("name") if isinstance(item, dict) else item for item in listed]
        return tuple(name for name in names if isinstance(name, str))
    single = cloud.get("region_name")
    return (single,) if isinstance(single, str) else ()


def _found(environ: Mapping[str, str]) -> FilePath | None:
    return next((path for path in _candidates(environ) if path.is_file()), None)


def _candidates(environ: Mapping[str, str]) -> Iterator[FilePath]:
    if environ.get(_VARIABLE):
        yield FilePath(environ[_VARIABLE]).absolute()
    folders = [FilePath.cwd(), FilePath(_SYSTEM_FOLDER)]
    if environ.get("HOME"):
        config_home = environ.get("XDG_CONFIG_HOME") or f"{environ['HOME']}/.config"
        folders.insert(1, FilePath(config_home) / "openstack")
    for folder in folders:
        for name in _NAMES:
            yield folder / name
