"""Images that are made on first use: what stands beside `build: on-demand`, and who boots them.

The machine of a first use runs the steps itself, by the launcher's hand, and belongs to a job: so
the steps know no secrets, and whoever logs in for them logs in for the label as well.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from remuda.config.base import switch
from remuda.config.beside import check_beside
from remuda.config.document import Path
from remuda.config.fingerprint import copied_paths, fingerprint
from remuda.config.model import Config
from remuda.config.parts import CheckFrom
from remuda.config.raw import mapping, seconds, whole
from remuda.config.recipes import ImageRecipe, WrittenRecipes, recipes
from remuda.config.report import Report
from remuda.config.units import show_duration
from remuda.config.use import Use, uses_of

#: What an image that is made on first use does not have, and why not.
_BESIDE: Final = {
    "capture": "it is made by its recipe, and not of jobs' machines",
    "command": "machines run its recipe themselves, and a command is run on the builder's host",
    "schedule": "it is made when it is used",
    "canary": "until it is there machines run the recipe themselves, so that nothing is tried",
    "rollout-window": "it is booted as soon as it is proven: until then each machine takes longer",
    "freshness": "how long it stays, its ttl says",
    "start-from": "there is nothing that it could start from but its base",
    "full-every": "each build of it starts from the base",
}
_AHEAD: Final = "ahead"
#: To boot, snapshot and prove a build takes about so long at most; its steps come besides.
SNAPSHOT_S: Final = 900.0


def check_on_demand(data: object, written: WrittenRecipes, report: Report) -> None:
    """Report what contradicts `build: on-demand`, what it lacks, and who cannot use it."""
    for name, image in written.images.items():
        if written.on_demand(name):
            check_beside(
                name,
                "build: on-demand",
                report,
                image=image,
                keys=_BESIDE,
                of_makings={},
                instead="write build: ahead",
            )
            _check_ttl(name, image, written, report)
            _check_secrets(name, image, written, report)
        elif image.get("ttl") is not None and image.get("build", _AHEAD) == _AHEAD:
            # Another word is a mistake of its own: nobody knows what was meant to become of ttl.
            report.problem(
                ("images", name, "ttl"),
                "only an image that is made on first use goes when it is unused",
                "write build: on-demand, or leave ttl out",
                at_key=True,
            )
    _check_parents(written, report)
    for use in uses_of(data):
        built = mapping(use.entry.get("image")).get("built")
        if isinstance(built, str) and written.on_demand(built):
            _check_use(use, built, written, report)


def check_twins(config: Config, report: Report) -> None:
    """Report images made on first use that are made from the same: each would be made for itself.

    *config* has no other problem. What files hold that steps copy is taken for the same; recipes
    with a script that is not on this host are left out.
    """
    first: dict[tuple[str, str | None], str] = {}
    known = recipes(config.images, config.image_defaults, config.providers)
    for name, recipe in known.items():
        if recipe.ttl_s is None:
            continue
        made_from = {(one, _criteria(recipe, one)) for one in recipe.makings}
        twins = {first.setdefault(made, name) for made in made_from if made[1] is not None}
        for twin in sorted(twins - {name}):
            report.problem(
                ("images", name),
                f"is made from the very same as {twin!r}, and each would be made for itself",
                f"keep one of them, and let the labels of both name it: {{built: {twin}}}",
                at_key=True,
            )


def _criteria(recipe: ImageRecipe, provider: str) -> str | None:
    """Return what an image is made from; None: one of its scripts was not read."""
    try:
        return fingerprint(recipe, provider, dict.fromkeys(copied_paths(recipe), ()))
    except ValueError:  # that it is missing is a warning where only others need it
        return None


def _check_ttl(
    name: str, image: Mapping[str, object], written: WrittenRecipes, report: Report
) -> None:
    if image.get("ttl") is None:
        report.problem(
            ("images", name),
            "is made on first use, and does not say when it goes",
            "write for example ttl: 24h",
            at_key=True,
        )
        return
    ttl_s = seconds(image, "ttl", 0.0)
    steps_s = sum(_step_s(step) for _, step in _steps(name, image, written))
    offline = switch(image.get("offline", written.defaults.get("offline")))
    kinds = ("checks-before", "checks", *(("offline-checks",) if offline else ()))
    checks_s = sum(_checks_s(one, kinds) for one in (image, written.defaults))
    least_s = SNAPSHOT_S + steps_s + checks_s
    if ttl_s is not None and ttl_s <= least_s:
        report.problem(
            ("images", name, "ttl"),
            f"is over before it is made: its steps may take {show_duration(steps_s)} "
            f"with their retries, its checks {show_duration(checks_s)}, and its snapshot and trial "
            f"{show_duration(SNAPSHOT_S)}",
            f"write more than {show_duration(least_s)}, or give steps and checks less time",
        )


def _step_s(step: Mapping[str, object]) -> float:
    retries = whole(step, "retries") or 0.0
    return (seconds(step, "timeout", 0.0) or 0.0) * (1.0 + max(0.0, retries))


def _checks_s(section: Mapping[str, object], kinds: tuple[str, ...]) -> float:
    """Return how long all checks of a section may take."""
    default_s = float(CheckFrom.model_fields["timeout"].default)
    lists = [section.get(key) for key in kinds]
    checks = [mapping(one) for some in lists if isinstance(some, list) for one in some]
    return sum(seconds(one, "timeout", default_s) or 0.0 for one in checks)


def _check_secrets(
    name: str, image: Mapping[str, object], written: WrittenRecipes, report: Report
) -> None:
    """Report steps that know secrets: they run on machines of jobs, where a job could read them."""
    for path, step in _steps(name, image, written):
        if step.get("secrets"):
            report.problem(
                (*path, "secrets"),
                f"the steps of {name!r} run on machines of jobs, which could read their secrets",
                "leave them out, or write build: ahead",
                at_key=True,
            )


def _steps(
    name: str, image: Mapping[str, object], written: WrittenRecipes
) -> Iterator[tuple[Path, Mapping[str, object]]]:
    tops: list[tuple[Path, Mapping[str, object]]] = [(("images", name), image)]
    if switch(image.get("default-steps")) is not False:
        tops.append((("image-defaults",), written.defaults))
    for top, section in tops:
        steps = section.get("steps")
        for index, step in enumerate(steps if isinstance(steps, list) else ()):
            yield (*top, "steps", index), mapping(step)


def _check_parents(written: WrittenRecipes, report: Report) -> None:
    """Report images that start from one that may not be there, for nobody has to use it."""
    told: set[Path] = set()
    for name in written.images:
        for provider in written.chosen(name):
            parent, path = written.parent(name, provider)
            if parent and written.on_demand(parent) and path not in told:
                told.add(path)
                report.problem(
                    (*path, "image"),
                    f"{parent!r} is made on first use, and is not there while nobody uses it",
                    f"write build: ahead in {parent}, or put its steps here",
                )


def _check_use(use: Use, name: str, written: WrittenRecipes, report: Report) -> None:
    """Report labels whose machines could not run the steps themselves."""
    provider = str(use.path[1])
    if provider not in written.chosen(name):
        return  # which is complained of elsewhere
    if use.provider.get("ssh-key-file") is None:
        report.problem(
            use.path[:2],
            f"has no ssh-key-file, but its machines run the steps of {name!r} where no build of it "
            "is there",
            "name the private key to log in with, or write build: ahead",
            at_key=True,
        )
    if use.entry.get("connection-type") not in (None, "ssh"):
        report.problem(
            (*use.path, "connection-type"),
            f"nobody logs in, but the steps of {name!r} are run where no build of it is there",
            "write ssh, or build: ahead",
        )
    for key, default in (("username", "root"), ("connection-port", 22)):
        mine = use.entry.get(key)
        theirs = written.value(key, name, provider)
        mine, theirs = default if mine is None else mine, default if theirs is None else theirs
        if str(mine) != str(theirs):
            report.problem(
                (*use.path, key),
                f"is {mine!r}, but the steps of {name!r}, which this machine runs where no build "
                f"of it is there, have {theirs!r}",
                f"write the same in both, or build: ahead in {name}",
                at_key=key not in use.entry,
            )
