"""How images are made: recipes, what all of them share, and when each is made anew.

A recipe names what an image starts from and the steps that a build machine goes through.
``remuda.config.recipes`` joins it with ``image-defaults:``.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from remuda.config.base import (
    AsWritten,
    Choice,
    Duration,
    HostFile,
    Name,
    Named,
    Section,
    Share,
    Whole,
)
from remuda.config.captures import CaptureFrom
from remuda.config.cron import parse_cron, parse_zone
from remuda.config.imagecommand import ImageCommandFrom
from remuda.config.imagevalues import (
    COMMAND_CHARS_MAX,
    STEP_S_MAX,
    absolute_path,
    check_variable,
    file_mode,
    file_owner,
    ignored_pattern,
    is_variable,
    package_name,
    variables,
)
from remuda.config.ondemand import OnDemandFrom
from remuda.config.parts import CheckFrom, FlavorNamed, ImageFrom, ScriptText, named
from remuda.config.units import WrongValueError


def _secrets(values: dict[str, "SecretFrom"]) -> dict[str, "SecretFrom"]:
    for name in values:
        check_variable(name)
    return values


def _reference(value: object) -> object:
    if value is not None and not isinstance(value, dict):
        raise WrongValueError(
            "is not where to find a secret; its value must not stand in this file",
            hint="write {environment: NAME} or {file: FILE}, of the host of the builder",
            private=True,
        )
    return value


def _variable_name(value: str) -> str:
    if not is_variable(value):
        raise WrongValueError(
            "must be the name of an environment variable, not the secret itself",
            hint="write for example PYPI_TOKEN",
            private=True,
        )
    return value


class BaseFrom(ImageFrom):
    """What an image starts from: an image of the cloud, or another one of ours."""

    choices: ClassVar[tuple[Choice, ...]] = (
        Choice(("id", "name", "match", "image")),
        Choice(("id", "properties"), least=0),
        Choice(("image", "properties"), least=0),
    )

    image: Name | None = Field(
        default=None, description="Another image below images:, whose current build is taken."
    )


class StepScript(ScriptText):
    """A script that a step runs."""

    arguments: tuple[str, ...] = Field(default=(), description="Given to the script, in order.")
    environment: Annotated[dict[str, str], AfterValidator(variables)] = Field(
        default_factory=dict, description="Variables of this script, before those of the recipe."
    )


class StepCopy(Section):
    """A file, or a folder with all below it, from the builder's host."""

    source: Annotated[str, HostFile(tree=True)] = Field(
        alias="from",
        description="File or folder, relative to the configuration. Links within it must stay "
        "within it.",
    )
    to: Annotated[str, AfterValidator(absolute_path)] = Field(
        description="Absolute path on the machine, of the file or of the folder; what is there "
        "already stays, unless something of the same name comes."
    )
    mode: Annotated[str, AfterValidator(file_mode)] | None = Field(
        default=None,
        description="Mode of each file, in quotes; folders get x beside r. null: as here.",
    )
    owner: Annotated[str, AfterValidator(file_owner)] | None = Field(
        default=None, description="USER or USER:GROUP; null: who logs in, or root with as-root."
    )


class BuildStep(Section):
    """One step of a build; they run in order, each once the one before has succeeded."""

    choices: ClassVar[tuple[Choice, ...]] = (Choice(("script", "copy", "packages", "command")),)

    name: Named | None = Field(
        default=None, max_length=80, description="For messages; else the kind."
    )
    script: StepScript | None = Field(default=None, description="Runs a script.")
    copied: StepCopy | None = Field(
        default=None, alias="copy", description="Copies a file or folder to the machine."
    )
    packages: tuple[Annotated[str, AfterValidator(package_name)], ...] | None = Field(
        default=None,
        min_length=1,
        description="Installs packages, as root, with the distribution's own tool.",
    )
    command: Annotated[str | None, AsWritten()] = Field(
        default=None,
        min_length=1,
        max_length=COMMAND_CHARS_MAX,
        description="Runs a command line of /bin/sh.",
    )
    timeout: Duration = Field(
        gt=0, le=STEP_S_MAX, description="Time limit of each attempt; it is killed after this."
    )
    retries: Whole = Field(
        default=0, ge=0, le=10, description="Further attempts if it fails; it must bear them."
    )
    as_root: bool = Field(default=False, description="Run with sudo unless logged in as root.")
    secrets: tuple[str, ...] = Field(
        default=(),
        description="Those of the recipe's secrets that a script or command gets, as environment "
        "variables of these names.",
    )

    @property
    def called(self) -> str:
        """What people call it."""
        if self.name is not None:
            return self.name
        if self.script is not None:
            return f"script {self.script.file}" if self.script.file else "script"
        if self.copied is not None:
            return f"copy {self.copied.to}"
        return "command" if self.packages is None else "packages"


class SecretFrom(Section):
    """Where a secret is found, on the builder's host; its value never stands in this file."""

    choices: ClassVar[tuple[Choice, ...]] = (Choice(("environment", "file")),)

    environment: Annotated[str, AfterValidator(_variable_name)] | None = Field(
        default=None, description="Name of an environment variable of the builder."
    )
    file: Annotated[str | None, HostFile(secret=True)] = Field(
        default=None, description="File, relative to the configuration; a last newline is cut off."
    )


class ScheduleFrom(Section):
    """When an image is made anew."""

    choices: ClassVar[tuple[Choice, ...]] = (Choice(("cron", "max-age")),)

    cron: Annotated[str, AfterValidator(parse_cron)] | None = Field(
        default=None,
        description="Minute, hour, day of month, month, day of week, as cron has them; missed "
        "times are made up for by one build.",
    )
    max_age: Duration | None = Field(
        default=None, ge=60, description="So long after the last build began, at most."
    )
    time_zone: Annotated[str, AfterValidator(parse_zone)] = Field(
        default="UTC", description="Of cron, e.g. Europe/Berlin."
    )
    jitter: Duration = Field(
        default=900.0,
        ge=0,
        le=24 * 3600,
        description="Each image begins by its own share of this after cron, or before max-age "
        "(half of it at most), so that not all do at once.",
    )


class RolloutWindow(Section):
    """When builds may become current; outside of it they wait."""

    opens: Annotated[str, AfterValidator(parse_cron)] = Field(
        description="Cron expression of its beginnings."
    )
    lasts: Duration = Field(ge=60, le=7 * 86400, description="From each beginning.")
    time_zone: Annotated[str, AfterValidator(parse_zone)] = Field(
        default="UTC", description="Of opens, e.g. Europe/Berlin."
    )


class CanaryFrom(Section):
    """How a new build is tried on a part of the requests before it becomes current."""

    share: Share = Field(
        default=0.1, gt=0, le=1, description="Of the requests, which get the new build."
    )
    good: Share = Field(
        default=0.02, gt=0, lt=0.5, description="Share of launches that may fail with a good build."
    )
    bad: Share = Field(
        default=0.1, gt=0, lt=1, description="Share of launches that fail with a bad one."
    )
    false_alarm: Share = Field(
        default=0.01, ge=1e-6, le=0.2, description="Chance at most that a good one is withdrawn."
    )
    miss: Share = Field(
        default=0.05, ge=1e-6, le=0.2, description="Chance at most that a bad one becomes current."
    )
    promote_after: Duration | None = Field(
        default=None,
        ge=60,
        description="One of which nothing speaks becomes current after that, however few launches "
        "it had; null: it waits for them.",
    )


SecretOf = Annotated[SecretFrom, BeforeValidator(_reference)]
BaseNamed = Annotated[BaseFrom, BeforeValidator(named, json_schema_input_type=str | BaseFrom)]


class ProviderRecipe(Section):
    """What is different in one provider; nothing behind its name: nothing is."""

    base: BaseNamed | None = Field(default=None, description="Instead of the recipe's.")
    flavor: FlavorNamed | None = Field(default=None, description="Instead of the recipe's.")
    username: Named | None = Field(default=None, description="Instead of the recipe's.")
    pool: Name | None = Field(
        default=None, description="Where build machines are made; null: any pool with room."
    )
    copy_from: Name | None = Field(
        default=None,
        description="Provider whose build is copied, instead of a build in this one.",
    )


class ImageDefaults(Section):
    """What holds for all images, unless a recipe says otherwise.

    `steps` and all kinds of checks come before those of a recipe; `environment` and `secrets`
    are joined with its own, name by name; all else a recipe replaces, null included.
    Of `providers` a recipe's own list counts; what a recipe says of one of them goes before what
    it says for all, and both before what is said here, of that provider or for all.
    """

    base: BaseNamed | None = Field(
        default=None,
        description="Image name, or a mapping that says how to find it; needed here, in the "
        "recipe, or for each provider.",
    )
    providers: dict[Name, ProviderRecipe] | None = Field(
        default=None,
        min_length=1,
        description="Where it is made; null: where its parent is, else in all.",
    )
    flavor: FlavorNamed | None = Field(
        default=None,
        description="Of build machines; its disk is the least that nodes need. Needed as base is.",
    )
    username: Named = Field(default="root", description="Login user, with sudo for steps as-root.")
    connection_port: Whole = Field(default=22, ge=1, le=65535, description="Port of the login.")
    host_keys: Literal["inject", "scan"] = Field(
        default="inject", description="Of build machines; as for the labels of pools."
    )
    config_drive: bool | None = Field(default=None, description="Ask for a configuration drive.")
    environment: Annotated[dict[str, str], AfterValidator(variables)] = Field(
        default_factory=dict,
        description="Variables of all scripts and commands, e.g. http_proxy; joined with those of "
        "image-defaults.",
    )
    steps: tuple[BuildStep, ...] = Field(
        default=(), description="In order; first those of image-defaults."
    )
    checks_before: tuple[CheckFrom, ...] = Field(
        default=(),
        description="On the build machine, before its snapshot; also those of image-defaults.",
    )
    checks: tuple[CheckFrom, ...] = Field(
        default=(),
        description="On a machine that booted from the snapshot, in each provider; also those of "
        "image-defaults.",
    )
    offline: bool = Field(
        default=False, description="Also boot it without a network, and run offline-checks there."
    )
    offline_checks: tuple[CheckFrom, ...] = Field(
        default=(), description="What must pass there; also those of image-defaults."
    )
    schedule: ScheduleFrom | None = Field(
        default=None, description="When it is made anew; null: when somebody asks for it."
    )
    rollout_window: RolloutWindow | None = Field(
        default=None, description="When builds may become current; null: at any time."
    )
    canary: CanaryFrom | None = Field(
        default=None,
        description="How a new build is tried on a part of the requests before it becomes current; "
        "null: it becomes current at once.",
    )
    keep: Whole = Field(
        default=2,
        ge=2,
        le=100,
        description="Good builds that are kept in each provider: the current one and those before.",
    )
    freshness: Duration | None = Field(
        default=None, gt=0, description="Alarm when the current build is older; null: never."
    )
    paused: bool = Field(default=False, description="Make none, however old the current one is.")
    skip_unchanged: bool = Field(
        default=True,
        description="A build that was begun by schedule, age or a new base, and has the inventory "
        "of the current one, is not kept: the current one counts as new instead.",
    )
    start_from: Literal["base", "current"] = Field(
        default="base",
        description="Of builds by schedule or age: current lets them start from the current "
        "build, but for every full-every-th.",
    )
    full_every: Whole = Field(
        default=7, ge=2, le=100, description="With start-from: current, so many builds in all."
    )
    inventory: Literal["contents", "sizes"] = Field(
        default="contents",
        description="By what files are told from each other; sizes reads none of them.",
    )
    inventory_ignore: tuple[Annotated[str, AfterValidator(ignored_pattern)], ...] = Field(
        default=(),
        max_length=100,
        description="Files that tell no build from another: patterns of whole names, in which * "
        "means slashes, too; also those of image-defaults.",
    )
    secrets: Annotated[dict[str, SecretOf], AfterValidator(_secrets)] = Field(
        default_factory=dict,
        description="Name in steps, and where to find it; joined with those of image-defaults.",
    )


class RecipeFrom(OnDemandFrom, ImageDefaults):
    """How one image is made; what it leaves out is as in `image-defaults`."""

    capture: CaptureFrom | None = Field(
        default=None,
        description="It is made of jobs' machines, and has neither base, steps nor schedule; those "
        "of image-defaults do not count. flavor and username are of the machines that prove it.",
    )
    command: ImageCommandFrom | None = Field(
        default=None,
        description="It is a file that a command on the builder's host writes, and has neither "
        "base, steps nor checks-before; those of image-defaults do not count. flavor and username "
        "are of the machines that prove it.",
    )
    default_steps: bool = Field(
        default=True, description="false: without the steps of image-defaults, only its own."
    )
