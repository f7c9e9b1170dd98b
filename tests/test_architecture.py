"""The dependency rule, read from the import statements."""

import ast
import functools
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator
from typing import Final

from tests.support import source as code
from tests.support.source import Source, nothing

#: Which of our packages a package may import.
MAY_IMPORT: Final = {
    "remuda": {"remuda"},
    "launcher": {"launcher", "remuda"},
    "builder": {"builder", "remuda", "requestor"},  # it is a user of launchers, as others are
    "requestor": {"requestor", "remuda"},
    "sandbox": {"sandbox"},
}
#: Foreign systems have one door each; nobody else knows which library stands behind it.
DOORS: Final = {
    "kazoo": ("remuda/store/",),
    "openstack": ("remuda/cloud/",),
    "keystoneauth1": ("remuda/cloud/",),
    "paramiko": ("remuda/ssh/",),
    "prometheus_client": ("remuda/metrics/",),
    "statsd": ("remuda/metrics/",),
    "structlog": ("remuda/logs.py",),
}
#: Modules whose project has another name, and where the dependencies of each package are declared.
PROJECTS: Final = {
    "yaml": "pyyaml",
    "prometheus_client": "prometheus-client",
    "openstack": "openstacksdk",
}
EXTRAS: Final = {"sandbox": ("sandbox",)}
#: Where judgements are made, and the values that they are made of: snapshot in, plan out.
DECIDING: Final = (
    "launcher/decide/",
    "builder/decide/",
    *(
        f"launcher/{noun}.py"
        for noun in (
            *("actions", "breaker", "cloudview", "events", "fold", "herd", "images"),
            *("listing", "neighbours", "policy", "queue", "views", "world"),
        )
    ),
    *(f"remuda/config/{noun}.py" for noun in ("cron", "fingerprint", "recipes", "schedule")),
    *(f"remuda/images/{noun}.py" for noun in ("moves", "references", "revoking", "writes")),
    *(f"builder/{noun}.py" for noun in ("events", "fold", "known", "records", "transactions")),
    *(f"remuda/images/{noun}.py" for noun in ("catalogue", "kinds", "standing")),
    "builder/logpages.py",
    "remuda/membership/duty.py",
    "remuda/insight/explanation.py",
    "remuda/insight/facts.py",
    "remuda/insight/tree.py",
    "remuda/insight/unheard.py",
)
#: What a judgement may not know: the world, the time, chance, and other threads.
IMPURE: Final = frozenset(
    {
        "asyncio",
        "concurrent",
        "kazoo",
        "keystoneauth1",
        "logging",
        "openstack",
        "os",
        "paramiko",
        "random",
        "requests",
        "select",
        "socket",
        "structlog",
        "subprocess",
        "threading",
        "time",
        "urllib",
    }
)
#: The same of ours: their results come in as values.
OURS_IMPURE: Final = (
    "remuda.logs",
    "remuda.metrics.sink",
    "remuda.runtime.clock",
    "remuda.runtime.inbox",
    "remuda.store.connection",
)


def heads(source: Source) -> Iterator[tuple[ast.stmt, str]]:
    """Yield each import with its top-level package."""
    for node, name in code.imports(source):
        yield node, name.partition(".")[0]


@functools.cache
def ours() -> dict[str, Source]:
    """Return our modules by name."""
    return {source.module: source for source in code.product()}


def edges(source: Source) -> set[str]:
    """Return those of our modules that this one imports, also for type checkers only."""
    known = ours()
    found = set()
    for _node, name in code.imports(source):
        owner = name.rpartition(".")[0]
        found.add(name if name in known else owner)
    return {name for name in found if name in known and name != source.module}


def test_packages_import_only_the_core() -> None:
    """Ours meet in ZooKeeper, though a builder asks as a client; the sandbox knows nobody."""
    found = [
        source.at(node, f"{source.package} imports {head}")
        for source in code.product()
        for node, head in heads(source)
        if head in MAY_IMPORT and head not in MAY_IMPORT[source.package]
    ]
    nothing(found)


def test_foreign_systems_have_one_door() -> None:
    """A library can be replaced in one folder."""
    found = [
        source.at(node, f"imports {head}; only {', '.join(DOORS[head])} may")
        for source in code.product()
        for node, head in heads(source)
        if head in DOORS and source.package != "sandbox" and not source.path.startswith(DOORS[head])
    ]
    nothing(found)


def test_judgements_are_pure() -> None:
    """Who decides knows neither clock nor network nor threads."""
    found = [
        source.at(node, f"decides, but imports {name}")
        for source in code.product()
        if source.path.startswith(DECIDING)
        for node, name in code.imports(source)
        if name.partition(".")[0] in IMPURE or name.startswith(OURS_IMPURE)
    ]
    nothing(found)


def test_judgements_do_not_reach_foreign_systems_through_others() -> None:
    """Not through any chain of our own modules either."""
    known = ours()
    found = []
    for source in code.product():
        if not source.path.startswith(DECIDING):
            continue
        seen, todo = {source.module}, [source.module]
        while todo:
            for name in edges(known[todo.pop()]) - seen:
                seen.add(name)
                todo.append(name)
        found += [
            f"{source.path} → {name} imports {head}"
            for name in sorted(seen)
            for _, head in heads(known[name])
            if head in {"kazoo", "openstack", "keystoneauth1", "paramiko"}
        ]
    nothing(found)


def test_the_nouns_stand_on_nothing() -> None:
    """remuda/model imports the standard library and itself."""
    found = [
        source.at(node, name)
        for source in code.product()
        if source.path.startswith("remuda/model/")
        for node, name in code.imports(source)
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not name.startswith("remuda.model")
    ]
    nothing(found)


def declared(*extras: str) -> set[str]:
    """Return the projects that pyproject.toml names, with those of *extras*."""
    project = tomllib.loads((code.ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][one] for one in extras)]
    return {re.split(r"[<>=!\[]", one, maxsplit=1)[0].lower() for each in lists for one in each}


def test_dependencies_are_what_is_imported() -> None:
    """Each library that is imported is declared, and each that is declared is imported."""
    used: dict[str, set[str]] = {"sandbox": set(), "": set()}
    undeclared = []
    for source in code.product():
        extras = EXTRAS.get(source.package, ())
        for node, head in heads(source):
            if head in sys.stdlib_module_names or head in MAY_IMPORT:
                continue
            project = PROJECTS.get(head, head).lower()
            used["".join(extras)].add(project)
            if project not in declared(*extras):
                undeclared.append(source.at(node, f"imports {head}, which is not declared"))
    nothing(undeclared)
    nothing(sorted(declared() - used[""] - used["sandbox"]))
    # Uvicorn parses HTTP with h11; it is named for its floor.
    nothing(sorted(declared("sandbox") - declared() - used["sandbox"] - {"h11"}))


def test_imports_have_no_cycles() -> None:
    """Each module can be read before those that use it; types are no exception."""
    graph = {name: edges(source) for name, source in ours().items()}
    cycle: list[str] = []
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as exc:
        cycle = exc.args[1]
    nothing(cycle)


def test_every_folder_of_the_product_is_a_package() -> None:
    """A forgotten ``__init__.py`` would be left out of the wheel."""
    folders = {(code.ROOT / source.path).parent for source in code.product()}
    nothing([str(folder) for folder in folders if not (folder / "__init__.py").exists()])


def test_every_package_says_that_it_has_types() -> None:
    """Else whoever uses the library checks against nothing (PEP 561)."""
    tops = {(code.ROOT / source.path).relative_to(code.ROOT).parts[0] for source in code.product()}
    nothing([top for top in sorted(tops) if not (code.ROOT / top / "py.typed").exists()])
    text = (code.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "py.typed" in tomllib.loads(text)["tool"]["setuptools"]["package-data"]["*"]
