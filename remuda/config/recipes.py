"""Recipes joined with what holds for all images: what a builder works by.

Who said a thing first has it: the recipe for one provider, the recipe for all, the defaults for
that provider, the defaults for all. The checks of a file ask the same of its mappings as written
(``remuda.config.imagecheck``), so the rules take mappings from the file's keys.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from remuda.config.base import Section
from remuda.config.captures import CaptureFrom
from remuda.config.document import Path
from remuda.config.imagecommand import ImageCommandFrom
from remuda.config.images import (
    BaseFrom,
    BuildStep,
    CanaryFrom,
    ImageDefaults,
    ProviderRecipe,
    RecipeFrom,
    RolloutWindow,
    ScheduleFrom,
    SecretFrom,
)
from remuda.config.parts import CheckFrom, FlavorFrom
from remuda.config.raw import mapping

#: The word for images that are made on first use.
ON_DEMAND: Final = "on-demand"
#: What these do not have, whatever is said for all images.
NOT_ON_DEMAND: Final = frozenset(
    {"schedule", "canary", "rollout-window", "freshness", "start-from", "full-every"}
)
#: What an image that is captured does not have, whatever is said for all images.
_NOT_CAPTURED: Final = frozenset({"base", "steps", "schedule", "copy-from"})
#: The same of one that a command writes.
_NOT_COMMANDED: Final = frozenset({"base", "steps", "checks-before", "start-from", "copy-from"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMaking:
    """How one provider comes to an image.

    Attributes:
        base: None: it is captured, or a command writes it.
        pool: Where build machines are made; None: any pool with room.
        copy_from: Provider whose build is copied; None: it is built here.
    """

    base: BaseFrom | None
    flavor: FlavorFrom
    username: str
    pool: str | None = None
    copy_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecipe:
    """All that is said of one image.

    Attributes:
        makings: By provider; at least one.
        steps: In order, those of the defaults first; so are all kinds of checks.
        offline_checks: What must pass on a machine without a network; none unless it is to be
            tried there.
        freshness_s: Older than this the current build is an alarm; None: never.
        inventory_ignore: Patterns of files that tell no build from another.
        secrets: Where the builder finds them, by the name that steps know.
        capture: Of whose machines it is made; None: it has a recipe.
        command: What writes its file on the builder's host; None: it is made on a machine.
        ttl_s: It is made on first use, and goes when it is unused for so long; None: built ahead.
    """

    name: str
    makings: Mapping[str, ProviderMaking]
    connection_port: int = 22
    host_keys: Literal["inject", "scan"] = "inject"
    config_drive: bool | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[BuildStep, ...] = ()
    checks_before: tuple[CheckFrom, ...] = ()
    checks: tuple[CheckFrom, ...] = ()
    offline_checks: tuple[CheckFrom, ...] = ()
    schedule: ScheduleFrom | None = None
    rollout_window: RolloutWindow | None = None
    canary: CanaryFrom | None = None
    keep: int = 2
    freshness_s: float | None = None
    paused: bool = False
    skip_unchanged: bool = True
    start_from: Literal["base", "current"] = "base"
    full_every: int = 7
    inventory: Literal["contents", "sizes"] = "contents"
    inventory_ignore: tuple[str, ...] = ()
    secrets: Mapping[str, SecretFrom] = field(default_factory=dict)
    capture: CaptureFrom | None = None
    command: ImageCommandFrom | None = None
    ttl_s: float | None = None

    def on_demand_in(self, provider: str) -> bool:
        """Whether the launchers of *provider* have it made on first use."""
        return self.ttl_s is not None and provider in self.makings

    @property
    def needed_secrets(self) -> tuple[str, ...]:
        """Names of the secrets that a build has to know: to use them, or to look for them."""
        if self.capture is not None:
            return tuple(sorted(self.secrets))
        if self.command is not None:
            return tuple(sorted(set(self.command.secrets)))
        return tuple(sorted({name for step in self.steps for name in step.secrets}))


def recipes(
    images: Mapping[str, RecipeFrom], defaults: ImageDefaults, providers: Iterable[str]
) -> Mapping[str, ImageRecipe]:
    """Return all recipes of a configuration that has no problems, by name.

    *providers* are the names of all there are.
    """
    written = WrittenRecipes(
        images={name: said_by(image) for name, image in images.items()},
        defaults=said_by(defaults),
        known=tuple(providers),
    )
    return {
        name: _joined(
            name,
            image,
            defaults,
            {one: _making(written, name, one) for one in written.chosen(name)},
        )
        for name, image in images.items()
    }


def said_by(section: Section) -> Mapping[str, object]:
    """Return what the file says in *section*, by the file's keys; sections below likewise."""
    fields = type(section).model_fields
    return {
        fields[name].alias or name: _plain(getattr(section, name))
        for name in section.model_fields_set
    }


@dataclass(frozen=True, slots=True)
class WrittenRecipes:
    """Recipes and defaults as mappings by the file's keys; the values may be anything.

    Attributes:
        known: The names of all providers there are.
    """

    images: Mapping[str, Mapping[str, object]]
    defaults: Mapping[str, object]
    known: tuple[str, ...]

    @classmethod
    def of(cls, data: object) -> "WrittenRecipes":
        """Return what *data*, a whole file, says; what is no mapping is left out."""
        top = mapping(data)
        images = mapping(top.get("images")).items()
        return cls(
            images={
                name: mapping(image) for name, image in images if isinstance(image, dict | None)
            },
            defaults=mapping(top.get("image-defaults")),
            known=tuple(mapping(top.get("providers"))),
        )

    def chosen(self, name: str) -> tuple[str, ...]:
        """Return the providers that the image *name* is for, of those that are known.

        Where nobody lists them, it is for those of its parent, if that is one of these images.
        """
        return tuple(one for one in self._listed(name) if one in self.known)

    def certain(self, name: str) -> bool:
        """Whether all that is listed for *name* is known: else it may mean any provider."""
        return set(self._listed(name)) <= set(self.known)

    def captured(self, name: str) -> bool:
        """Whether an image is made of jobs' machines, and has no recipe."""
        return self.images.get(name, {}).get("capture") is not None

    def commanded(self, name: str) -> bool:
        """Whether a command of the builder's host writes an image."""
        return not self.captured(name) and self.images.get(name, {}).get("command") is not None

    def baseless(self, name: str) -> bool:
        """Whether an image starts from nothing that is said here."""
        return self.captured(name) or self.commanded(name)

    def _lacks(self, key: str, name: str) -> bool:
        """Whether an image has no such key, whatever is said for all images."""
        if self.captured(name):
            return key in _NOT_CAPTURED
        return self.commanded(name) and key in _NOT_COMMANDED

    def on_demand(self, name: str) -> bool:
        """Whether an image is made when it is used first."""
        return self.images.get(name, {}).get("build") == ON_DEMAND

    def _listed(self, name: str) -> tuple[str, ...]:
        seen: set[str] = set()
        while name not in seen:  # a circle of parents is complained of elsewhere
            seen.add(name)
            image = self.images.get(name, {})
            listed = mapping(self._layer("providers", image).get("providers"))
            if listed:
                return tuple(listed)
            if self.baseless(name):
                break
            parent = parent_of(self._layer("base", image).get("base"))
            if parent not in self.images:
                break
            name = parent
        return self.known

    def said(self, key: str, name: str, provider: str) -> tuple[Path, object] | None:
        """Return what counts at *key* for an image in a provider, with its place; None: nothing.

        A key with null behind it counts as well.
        """
        if self._lacks(key, name):
            return None
        image = self.images.get(name, {})
        for top, layer in ((("images", name), image), (("image-defaults",), self.defaults)):
            here = mapping(mapping(layer.get("providers")).get(provider))
            for path, section in (((*top, "providers", provider), here), (top, layer)):
                if key in section:
                    return (*path, key), section[key]
        return None

    def value(self, key: str, name: str, provider: str) -> object:
        """Return what ``said`` does, without its place; None also for null."""
        found = self.said(key, name, provider)
        return None if found is None else found[1]

    def parent(self, name: str, provider: str) -> tuple[str, Path]:
        """Return the image that *name* starts from there, and where that is said; empty: none."""
        found = self.said("base", name, provider)
        return ("", ()) if found is None else (parent_of(found[1]), found[0])

    def _layer(self, key: str, image: Mapping[str, object]) -> Mapping[str, object]:
        return image if key in image else self.defaults


def groups_of(recipe: ImageRecipe) -> tuple[tuple[str, ...], ...]:
    """Return the providers that share a making: who makes it first, then who copies it."""
    if recipe.capture is not None or recipe.command is not None:
        # Made wherever the machine is, or brought to any of them, and copied to the others.
        return (tuple(recipe.makings),)
    groups: dict[str, list[str]] = {}
    for name, making in recipe.makings.items():
        maker = making.copy_from
        if maker is None or maker not in recipe.makings:
            maker = name
        groups.setdefault(maker, []).append(name)
    return tuple(
        tuple(sorted(group, key=lambda one, first=maker: one != first))  # type: ignore[misc]
        for maker, group in groups.items()
    )


def parent_of(base: object) -> str:
    """Return the image of ours that *base*, as written or as a value, names; empty: none."""
    name = base.image if isinstance(base, BaseFrom) else mapping(base).get("image")
    return name if isinstance(name, str) else ""


def _making(written: WrittenRecipes, name: str, provider: str) -> ProviderMaking:
    base, flavor = (written.value(key, name, provider) for key in ("base", "flavor"))
    username = written.value("username", name, provider)
    pool, copy_from = (written.value(key, name, provider) for key in ("pool", "copy-from"))
    based = isinstance(base, BaseFrom) or written.baseless(name)
    if based and isinstance(flavor, FlavorFrom):
        return ProviderMaking(
            base=base if isinstance(base, BaseFrom) else None,
            flavor=flavor,
            username=ImageDefaults().username if username is None else str(username),
            pool=None if pool is None else str(pool),
            copy_from=None if copy_from is None else str(copy_from),
        )
    raise ValueError(f"no base or flavor for {provider}: just the loader makes sure of them")


def _joined(
    name: str, image: RecipeFrom, defaults: ImageDefaults, makings: Mapping[str, ProviderMaking]
) -> ImageRecipe:
    on_demand = image.build == ON_DEMAND

    def one(key: str) -> Any:
        own = key in image.model_fields_set or (
            on_demand and key.replace("_", "-") in NOT_ON_DEMAND
        )
        return getattr(image if own else defaults, key)

    filled = image.capture is None and image.command is None
    common = defaults.steps if image.default_steps else ()
    before = (*defaults.checks_before, *image.checks_before)
    own = {} if image.command is None else image.command.environment
    return ImageRecipe(
        name=name,
        makings=makings,
        connection_port=one("connection_port"),
        host_keys=one("host_keys"),
        config_drive=one("config_drive"),
        environment={**defaults.environment, **image.environment, **own},
        steps=(*common, *image.steps) if filled else (),
        checks_before=before if image.command is None else (),
        checks=(*defaults.checks, *image.checks),
        offline_checks=(*defaults.offline_checks, *image.offline_checks) if one("offline") else (),
        schedule=one("schedule") if image.capture is None else None,
        rollout_window=one("rollout_window"),
        canary=one("canary"),
        keep=one("keep"),
        freshness_s=one("freshness"),
        paused=one("paused"),
        skip_unchanged=one("skip_unchanged"),
        start_from=one("start_from") if filled else "base",
        full_every=one("full_every"),
        inventory=one("inventory"),
        inventory_ignore=(*defaults.inventory_ignore, *image.inventory_ignore),
        # The job owns the machine that is captured: of others' secrets it is told none.
        secrets=dict(image.secrets) if image.capture else {**defaults.secrets, **image.secrets},
        capture=image.capture,
        command=image.command,
        ttl_s=image.ttl if on_demand else None,
    )


def _plain(value: object) -> object:
    if isinstance(value, Section):
        return said_by(value) if isinstance(value, ProviderRecipe) else value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
