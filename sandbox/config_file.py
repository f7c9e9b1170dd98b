"""Reading a sandbox's configuration file: all problems at once, with their places."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from sandbox.clock import from_iso
from sandbox.config import (
    AccessRule,
    Config,
    CredentialConfig,
    FlavorConfig,
    ImageConfig,
    MachineKind,
    NetworkConfig,
    Quota,
    System,
    Timing,
    UserConfig,
    stable_id,
)
from sandbox.fault_rules import read_rule
from sandbox.faults import Rule
from sandbox.reading import NUMBER_MAX, BadInputError, Reader

T = TypeVar("T")


def load(path: Path) -> Config:
    """Read the configuration file *path*.

    Raises:
        BadInputError: With all mistakes in it.
    """
    try:
        doc = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise BadInputError([f"{path}: cannot be read: {exc}"]) from exc
    except yaml.YAMLError as exc:
        raise BadInputError([f"{path}: is not YAML: {exc}"]) from exc
    return parse(doc, base=path.parent)


def parse(doc: object, *, base: Path = Path()) -> Config:
    """Turn the loaded document into a configuration; relative paths are below *base*.

    Raises:
        BadInputError: With all mistakes in it.
    """
    problems: list[str] = []
    config = _config(Reader(doc, "", problems), base)
    _check_references(config, problems)
    if problems:
        raise BadInputError(problems)
    return config


def _config(reader: Reader, base: Path) -> Config:
    std = Config()
    config = Config(
        cloud=reader.text("cloud", std.cloud),
        regions=reader.texts("regions", std.regions) or std.regions,
        users=_list(reader, "users", _user, std.users),
        credentials=_list(reader, "application_credentials", _credential, ()),
        flavors=_list(reader, "flavors", _flavor, std.flavors),
        images=_list(reader, "images", lambda each: _image(each, base), std.images),
        networks=_list(reader, "networks", _network, std.networks),
        zones=reader.texts("availability_zones", std.zones) or std.zones,
        quota=read_quota(reader.inner("quota"), std.quota),
        machines=MachineKind(reader.choice("machines", list(MachineKind), std.machines)),
        system=System(reader.choice("system", list(System), std.system)),
        address_range=_range(reader, std.address_range),
        ssh_port=reader.whole("ssh_port", std.ssh_port, most=65535),
        ssh_user=reader.text("ssh_user", std.ssh_user),
        banner=reader.flag("banner", default=std.banner),
        timing=Timing(
            boot_s=reader.number("boot_seconds", std.timing.boot_s or 0.0),
            ssh_s=reader.number("ssh_seconds", std.timing.ssh_s or 0.0),
        ),
        boot_jitter=reader.number("boot_jitter", std.boot_jitter, most=1.0),
        delete_s=reader.number("delete_seconds", std.delete_s),
        snapshot_s=reader.number("snapshot_seconds", std.snapshot_s),
        shutdown_s=reader.number("shutdown_seconds", std.shutdown_s),
        seed=reader.whole("seed", std.seed),
        page_size_max=reader.whole("page_size_max", std.page_size_max, least=1),
        token_lifetime_s=reader.number("token_lifetime", std.token_lifetime_s, least=0.1),
        clock_offset_s=reader.number("clock_offset", std.clock_offset_s, least=-NUMBER_MAX),
        workers=reader.whole("workers", std.workers, least=1, most=64),
        faults=_rules(reader),
        control_token=reader.text("control_token", std.control_token),
    )
    reader.close()
    return config


def _list(
    reader: Reader, key: str, one: Callable[[Reader], T], default: Sequence[T]
) -> tuple[T, ...]:
    if not reader.has(key):
        return tuple(default)
    values: list[T] = []
    for each in reader.each(key):
        values.append(one(each))
        each.close()
    return tuple(values)


def _rules(reader: Reader) -> tuple[Rule, ...]:
    return tuple(
        read_rule(each, default_id=f"config-{i}") for i, each in enumerate(reader.each("faults"))
    )


def _timing(reader: Reader) -> Timing:
    def given(key: str) -> float | None:
        return reader.number(key, 0.0) if reader.has(key) else None

    return Timing(boot_s=given("boot_seconds"), ssh_s=given("ssh_seconds"))


def _user(reader: Reader) -> UserConfig:
    return UserConfig(
        name=reader.text("name"),
        password=reader.text("password", ""),
        projects=reader.texts("projects", ("demo",)),
        roles=reader.texts("roles", ("member", "reader")),
    )


def _credential(reader: Reader) -> CredentialConfig:
    name = reader.text("name")
    return CredentialConfig(
        name=name,
        id=reader.text("id", stable_id("credential", name)),
        secret=reader.text("secret"),
        user=reader.text("user", "demo"),
        project=reader.text("project", "demo"),
        access_rules=_list(reader, "access_rules", _access_rule, ())
        if reader.has("access_rules")
        else None,
    )


def _access_rule(reader: Reader) -> AccessRule:
    return AccessRule(
        service=reader.text("service"), method=reader.text("method"), path=reader.text("path")
    )


def _flavor(reader: Reader) -> FlavorConfig:
    name = reader.text("name")
    return FlavorConfig(
        name=name,
        id=reader.text("id", stable_id("flavor", name)),
        vcpus=reader.whole("vcpus", 1, least=1),
        ram=reader.whole("ram", 2048, least=1),
        disk=reader.whole("disk", 20),
        timing=_timing(reader),
        extra_specs=tuple(reader.pairs("extra_specs").items()),
    )


def _image(reader: Reader, base: Path) -> ImageConfig:
    name = reader.text("name")
    tar = reader.text("tar", "")
    if tar and not (base / tar).is_file():
        reader.wrong("tar", f"there is no file {base / tar}")
    return ImageConfig(
        name=name,
        id=reader.text("id", stable_id("image", name)),
        properties=tuple(reader.pairs("properties").items()),
        visibility=reader.choice(
            "visibility", ("public", "private", "shared", "community"), "public"
        ),
        project=reader.text("project", ""),
        created_at_s=_moment(reader, "created_at"),
        min_disk=reader.whole("min_disk", 0),
        min_ram=reader.whole("min_ram", 0),
        size=reader.whole("size", ImageConfig(name="", id="").size),
        tar=str(base / tar) if tar else "",
        timing=_timing(reader),
    )


def _moment(reader: Reader, key: str) -> float | None:
    value: Any = reader.raw(key)
    if value is None:
        return None
    try:
        # YAML turns an unquoted time into a datetime or date; both print as ISO 8601.
        return from_iso(str(value).replace("Z", "+00:00"))
    except ValueError:
        reader.wrong(key, f"{value!r} is not a time such as 2026-01-31T12:00:00Z")
        return None


def _network(reader: Reader) -> NetworkConfig:
    cidr = reader.text("cidr", "")
    if cidr and _loopback(cidr) is None:
        reader.wrong("cidr", f"{cidr!r} is not a network within 127.0.0.0/8")
        cidr = ""
    return NetworkConfig(
        name=reader.text("name"),
        external=reader.flag("external", default=False),
        shared=reader.flag("shared", default=True),
        project=reader.text("project", ""),
        cidr=cidr,
    )


def _range(reader: Reader, default: str) -> str:
    text = reader.text("address_range", default)
    if text != "auto" and _loopback(text) is None:
        reader.wrong("address_range", f"{text!r} is not auto or a network within 127.0.0.0/8")
        return default
    return text


def _loopback(text: str) -> ipaddress.IPv4Network | None:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        return None
    return network if network.subnet_of(ipaddress.IPv4Network("127.0.0.0/8")) else None


def read_quota(reader: Reader, current: Quota) -> Quota:
    """Read a quota; what is not given stays as in *current*."""
    quota = Quota(
        **{
            field.name: reader.whole(field.name, getattr(current, field.name), least=-1)
            for field in fields(Quota)
        }
    )
    reader.close()
    return quota


def _check_references(config: Config, problems: list[str]) -> None:
    projects, users = set(config.projects), {user.name for user in config.users}
    for i, credential in enumerate(config.credentials):
        if credential.user not in users:
            problems.append(f"application_credentials[{i}].user: no user {credential.user!r}")
        if credential.project not in projects:
            problems.append(
                f"application_credentials[{i}].project: no user has the project"
                f" {credential.project!r}"
            )
    owned = {
        "images": [each.project for each in config.images],
        "networks": [each.project for each in config.networks],
    }
    for key, owners in owned.items():
        problems += [
            f"{key}[{i}].project: no user has the project {owner!r}"
            for i, owner in enumerate(owners)
            if owner and owner not in projects
        ]
    for key, named in (
        ("users", config.users),
        ("flavors", config.flavors),
        ("networks", config.networks),
    ):
        names = [each.name for each in named]
        problems += [
            f"{key}: {name!r} is there twice"
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        ]
    for key, ided in (
        ("flavors", config.flavors),
        ("images", config.images),
        ("faults", config.faults),
    ):
        ids = [each.id for each in ided]
        problems += [
            f"{key}: the id {one!r} is there twice"
            for one in dict.fromkeys(ids)
            if ids.count(one) > 1
        ]
