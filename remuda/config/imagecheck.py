"""What no single value of ``images:`` shows: parents, providers, secrets, times, labels."""

import graphlib
from collections.abc import Iterator, Mapping
from typing import Final

from remuda.config.base import switch
from remuda.config.capturecheck import check_captures
from remuda.config.commandcheck import check_commands
from remuda.config.cron import longest_pause_s, parse_cron, parse_zone
from remuda.config.document import Path
from remuda.config.images import CanaryFrom, ImageDefaults, RecipeFrom
from remuda.config.imageuse import check_image_uses
from remuda.config.misspellings import misspelled
from remuda.config.name_guesses import nearest
from remuda.config.offlinecheck import check_offline
from remuda.config.ondemandcheck import check_on_demand
from remuda.config.raw import entries, mapping, seconds, share
from remuda.config.recipes import WrittenRecipes
from remuda.config.report import Report
from remuda.config.units import WrongValueError, show_duration, show_share
from remuda.redaction import is_secret_name

_DEFAULTS: Final[Path] = ("image-defaults",)


def check_images(data: object, report: Report) -> None:
    """Report what is wrong between recipes, what they share, providers and labels."""
    written = WrittenRecipes.of(data)
    _check_providers(data, written, report)
    _check_parents(written, report)
    check_captures(data, written, report)
    check_commands(written, report)
    check_on_demand(data, written, report)
    for name in written.images:
        _check_needs(name, written, report)
        _check_copies(name, written, report)
        if not (written.captured(name) or written.on_demand(name)):
            _check_freshness(name, written, report)
        if not written.baseless(name):
            _check_start(name, written, report)
    _check_canaries(written, report)
    _check_secrets(written, report)
    _check_environments(written, report)
    check_offline(written, report)
    check_image_uses(data, written, report)


def _tops(written: WrittenRecipes) -> Iterator[tuple[Path, Mapping[str, object]]]:
    """Yield what all recipes share, and each recipe."""
    yield _DEFAULTS, written.defaults
    for name, image in written.images.items():
        yield ("images", name), image


def _check_providers(data: object, written: WrittenRecipes, report: Report) -> None:
    """Report providers and pools that are not there."""
    known = dict(entries(data, "providers"))
    for top, section in _tops(written) if known else ():
        for name, entry in entries(section, "providers"):
            path = (*top, "providers", name)
            if name not in known:
                report.problem(path, "no such provider", nearest(name, known), at_key=True)
                continue
            pool, pools = entry.get("pool"), mapping(known[name].get("pools"))
            if isinstance(pool, str) and pools and pool not in pools:
                report.problem((*path, "pool"), f"{name} has no such pool", nearest(pool, pools))


def _check_parents(written: WrittenRecipes, report: Report) -> None:
    """Report parents that are not there, not made where their child is, or their own children."""
    graph: dict[str, dict[str, Path]] = {}
    for name in written.images:
        graph[name] = {}
        for provider in written.chosen(name):
            parent, path = written.parent(name, provider)
            if not parent:
                continue
            if parent not in written.images:
                others = [other for other in written.images if other != name]
                report.problem((*path, "image"), "no such image", nearest(parent, others))
                continue
            graph[name][parent] = path
            if written.certain(parent) and provider not in written.chosen(parent):
                report.problem(
                    (*path, "image"),
                    f"{parent!r} is not made in provider {provider!r}, where {name!r} is",
                    f"add {provider} to the providers of {parent}, or give {name} fewer",
                )
    _check_circles(graph, report)


def _check_circles(graph: dict[str, dict[str, Path]], report: Report) -> None:
    while True:
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            ring: list[str] = error.args[1][:0:-1]  # from child to parent, each once
            start = ring.index(min(ring))
            child, *others = (*ring[start:], *ring[:start])
            parent = others[0] if others else child
            report.problem(
                (*graph[child][parent], "image"),
                f"leads back to {child!r}: {' → '.join((child, *others, child))}",
                "let one of them start from an image of the cloud",
            )
            del graph[child][parent]  # and look for another circle
        else:
            return


def _check_needs(name: str, written: WrittenRecipes, report: Report) -> None:
    """Report recipes that do not say what to start from, or on which machine."""
    image = written.images[name]
    doubtful = misspelled(RecipeFrom, image) | misspelled(ImageDefaults, written.defaults)
    providers = written.chosen(name)
    for key in ("flavor",) if written.baseless(name) else ("base", "flavor"):
        lacking = [one for one in providers if written.value(key, name, one) is None]
        if lacking and key not in doubtful and written.certain(name):
            where = "" if len(lacking) == len(providers) else f" for {', '.join(lacking)}"
            report.problem(
                ("images", name),
                f"needs {key}{where}",
                "write it here, below one of its providers, or in image-defaults",
                at_key=True,
            )
    steps = written.defaults.get("steps") if switch(image.get("default-steps")) is not False else ()
    stepped = written.baseless(name) or image.get("steps") or steps
    if not (stepped or "steps" in doubtful):
        report.warning(
            ("images", name), "has no steps: it would be a copy of its base", at_key=True
        )


def _check_copies(name: str, written: WrittenRecipes, report: Report) -> None:
    """Report copies of what is not built where it is said to come from."""
    providers = written.chosen(name)
    for provider in providers:
        found = written.said("copy-from", name, provider)
        path, source = found or ((), None)
        if not isinstance(source, str):
            continue
        if source == provider:
            report.problem(path, "is the provider itself", "leave it out to build there")
        elif source not in providers and written.certain(name):
            others = [one for one in providers if one != provider]
            report.problem(path, f"{name!r} is not made in {source!r}", nearest(source, others))
        elif written.value("copy-from", name, source) is not None:
            report.problem(
                path,
                f"{source!r} has a copy of {name!r} itself",
                "name the provider in which it is built",
            )


def _check_freshness(name: str, written: WrittenRecipes, report: Report) -> None:
    """Report limits that are passed between any two builds, though nothing is wrong."""
    image, defaults = written.images[name], written.defaults
    own = "freshness" in image
    limit_s = seconds(image if own else defaults, "freshness", 0.0)
    schedule = mapping((image if "schedule" in image else defaults).get("schedule"))
    pause_s = _pause_s(schedule)
    if limit_s and pause_s and limit_s <= pause_s:
        report.problem(
            ("images", name, "freshness") if own else (*_DEFAULTS, "freshness"),
            f"is not longer than the {show_duration(pause_s)} between builds of {name!r}",
            "write more, to leave time for the build, or build more often",
        )


def _check_canaries(written: WrittenRecipes, report: Report) -> None:
    """Report a build that would be bad though it fails no more than a good one."""
    usual = CanaryFrom()
    for top, section in _tops(written):
        canary = mapping(section.get("canary"))
        good, bad = share(canary, "good", usual.good), share(canary, "bad", usual.bad)
        if good is not None and bad is not None and good >= bad:
            said = "bad" if "bad" in canary else "good"
            report.problem(
                (*top, "canary", said),
                f"a bad build fails more often than a good one: bad is {show_share(bad)}, "
                f"good is {show_share(good)}",
                "write more for bad, or less for good",
            )


def _check_start(name: str, written: WrittenRecipes, report: Report) -> None:
    """Warn of what an image says of its start, and what never comes to that."""
    image = written.images[name]

    def said(key: str) -> object:
        return image[key] if key in image else written.defaults.get(key)

    if said("start-from") == "current":
        if not said("schedule") and "start-from" in image:
            report.warning(
                ("images", name, "start-from"),
                "builds by schedule start from the current one, and it has no schedule",
            )
    elif "full-every" in image:
        report.warning(("images", name, "full-every"), "counts with start-from: current only")


def _pause_s(schedule: Mapping[str, object]) -> float | None:
    """Return the longest time between builds; None: there is none, or it makes no sense."""
    if schedule.get("cron") is None:
        return seconds(schedule, "max-age", 0.0)
    zone = schedule.get("time-zone")
    try:
        return longest_pause_s(
            parse_cron(str(schedule["cron"])), parse_zone("UTC" if zone is None else str(zone))
        )
    except WrongValueError:
        return None


def _check_secrets(written: WrittenRecipes, report: Report) -> None:
    """Report secrets that steps name and nobody declares, and those that no step names."""
    common = mapping(written.defaults.get("secrets"))
    used: set[str] = set()
    for top, section in _tops(written):
        own = mapping(section.get("secrets"))
        mine: set[str] = set()
        for path, step in (*_steps(top, section), *_command(top, section)):
            named = step.get("secrets")
            if named and (step.get("copy") or step.get("packages")):
                report.problem(
                    (*path, "secrets"), "only scripts and commands get secrets", "leave it out"
                )
            for index, name in enumerate(named if isinstance(named, list) else ()):
                mine.add(str(name))
                if isinstance(name, str) and name not in own and name not in common:
                    report.problem(
                        (*path, "secrets", index),
                        "no such secret",
                        nearest(name, {**common, **own}),
                    )
        used |= mine
        looked_for = section.get("capture") is not None
        used |= set(common) if looked_for else set()
        for name in own if top != _DEFAULTS and not looked_for else ():
            if name not in mine and name not in common:
                report.warning((*top, "secrets", name), "no step names this secret", at_key=True)
    for name in common:
        if name not in used:
            report.warning((*_DEFAULTS, "secrets", name), "no step names this secret", at_key=True)


def _check_environments(written: WrittenRecipes, report: Report) -> None:
    """Report variables that secrets would hide, and warn of those that look like secrets."""
    common = mapping(written.defaults.get("secrets"))
    for top, section in _tops(written):
        secrets = {**common, **mapping(section.get("secrets"))}
        places = [((*top, "environment"), mapping(section.get("environment")))]
        for path, step in _steps(top, section):
            script = mapping(step.get("script"))
            places.append(((*path, "script", "environment"), mapping(script.get("environment"))))
        for path, command in _command(top, section):
            places.append(((*path, "environment"), mapping(command.get("environment"))))
        for path, environment in places:
            for name in environment:
                if name in secrets:
                    report.problem(
                        (*path, name),
                        "is a secret of this image as well",
                        "keep one of them",
                        at_key=True,
                    )
                elif is_secret_name(name):
                    report.warning(
                        (*path, name),
                        "looks like a secret, which would be known to all who read this file",
                        "declare it under secrets, and name it in the steps that need it",
                        at_key=True,
                    )


def _steps(top: Path, section: Mapping[str, object]) -> Iterator[tuple[Path, Mapping[str, object]]]:
    steps = section.get("steps")
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        yield (*top, "steps", index), mapping(step)


def _command(
    top: Path, section: Mapping[str, object]
) -> tuple[tuple[Path, Mapping[str, object]], ...]:
    """Return the command of an image with its place, if it has one."""
    found = mapping(section.get("command"))
    return (((*top, "command"), found),) if found and top != _DEFAULTS else ()
