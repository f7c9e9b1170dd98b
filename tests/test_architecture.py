"""The dependency rule, read from the import statements."""

import ast
import functools
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator
from typing import Final

import pytest

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
#: Everything in these folders decides, or is a value that decisions are made of…
DECIDING: Final = (
    "launcher/",
    "builder/",
    *(f"remuda/config/{noun}.py" for noun in ("cron", "fingerprint", "recipes", "schedule")),
    "remuda/images/",
    "remuda/insight/",
    "remuda/membership/attendance.py",
    "remuda/membership/rendezvous.py",
    "remuda/model/",
)
#: …but for hands and the programs that are nothing else, and what wires or measures a process.
NOT_DECIDING: Final = (
    "launcher/checking/",
    *("launcher/brain.py", "launcher/writer.py"),
    *("launcher/provider/presence.py", "launcher/server/specs.py"),
    "builder/hands/",
    *("builder/results.py", "builder/stops.py", "builder/worker.py"),
    *("builder/log/build_log.py", "builder/log/log_file.py"),
    *("builder/place/clouds.py", "builder/place/sites.py"),
    "remuda/images/following.py",
    "remuda/insight/live.py",
)
#: In these folders a module that has one of these names does not decide, in whatever noun's folder
#: it lies; nor do hands, whose names begin with "hand_".
BY_NOUN: Final = ("builder/", "launcher/")
ROLES_NOT_DECIDING: Final = frozenset(
    {"__main__", "assembly", "command", "daemon", "reporting", "tasks", "wiring"}
)
#: In a launcher these mark what is busy, or count and log what came of it.
DOING: Final = re.compile(r"launcher/(?:\w+/)?(?:start\w*|results)\.py")
#: In these folders only modules of the name writes.py build operations of transactions.
WRITES_BY_NOUN: Final = ("builder/", "launcher/")
OPERATIONS: Final = frozenset(
    f"remuda.store.api.{name}" for name in ("Check", "Create", "Delete", "Set")
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
#: No judgement reaches these, through whatever chain of modules.
FOREIGN: Final = frozenset({"kazoo", "keystoneauth1", "openstack", "paramiko"})
#: The same of ours: their results come in as values.
OURS_IMPURE: Final = (
    "remuda.logs",
    "remuda.metrics.sink",
    "remuda.runtime.clock",
    "remuda.runtime.inbox",
    "remuda.store.connection",
)


def decides(source: Source) -> bool:
    """Say whether a module has to be pure."""
    role = source.path.rpartition("/")[2].removesuffix(".py")
    acts = role in ROLES_NOT_DECIDING or role.startswith("hand_")
    acts = acts or DOING.fullmatch(source.path) is not None
    if acts and source.path.startswith(BY_NOUN):
        return False
    return source.path.startswith(DECIDING) and not source.path.startswith(NOT_DECIDING)


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


@functools.cache
def reaches(module: str) -> frozenset[str]:
    """Return the foreign systems that a module imports, or one that it imports, and so on."""
    source = ours()[module]
    own = FOREIGN.intersection(head for _, head in heads(source))
    return own.union(*(reaches(name) for name in edges(source)))


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
        if decides(source)
        for node, name in code.imports(source)
        if name.partition(".")[0] in IMPURE or name.startswith(OURS_IMPURE)
    ]
    nothing(found)


def test_judgements_do_not_reach_foreign_systems_through_others() -> None:
    """Not through any chain of our own modules either."""
    found = [
        f"{source.path} reaches {', '.join(sorted(reached))}"
        for source in code.product()
        if decides(source) and (reached := reaches(source.module))
    ]
    nothing(found)


def built_operations(source: Source) -> Iterator[ast.expr]:
    """Yield each place that builds an operation of a transaction."""
    called = {id(node.func) for node in ast.walk(source.tree) if isinstance(node, ast.Call)}
    for node, name in code.uses(source):
        if name in OPERATIONS and id(node) in called:
            yield node


def test_writes_are_in_one_place() -> None:
    """Who wants to know what is written of a noun reads one module, which is pure."""
    found = [
        source.at(node, "builds an operation of a transaction; writes.py of its noun is to")
        for source in code.product()
        if source.path.startswith(WRITES_BY_NOUN) and not source.path.endswith("/writes.py")
        for node in built_operations(source)
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


#: A module or a folder in backticks, such as ``launcher/world.py`` or ``sandbox/``.
PLACE: Final = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.py|(?:[\w.-]+/)+)`")


def resolves(place: str, before: str) -> bool:
    """Say whether *place* is there: from the top, beside the one *before*, or below a folder."""
    if (code.ROOT / place).exists() or (code.ROOT / before / place).exists():
        return True
    return any(f"/{place}" in f"/{source.path}" for source in code.product())


GLOSSARY: Final = "docs/glossary.md"


def unresolved(page: str) -> list[str]:
    """Return the modules and folders that *page* names and that are not there."""
    missing = []
    for number, line in enumerate((code.ROOT / page).read_text(encoding="utf-8").splitlines(), 1):
        before = ""
        for place in PLACE.findall(line):
            if not resolves(place, before):
                missing.append(f"{page}:{number}: {place}")
            before = place.rpartition("/")[0] or before
    return missing


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", GLOSSARY])
def test_what_the_architecture_names_is_there(page: str) -> None:
    """Each module and folder of both pages: who follows them arrives."""
    nothing(unresolved(page))


def test_the_architecture_says_where_to_change_what() -> None:
    """Who wants to change something begins there."""
    text = (code.ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert "## Where to change what" in text
    assert f"({GLOSSARY})" in text


#: A row of the glossary: the word, what it is, the module, and what it is called there.
ENTRY: Final = re.compile(r"\| ([^|]+) \| [^|]+\. \| `([\w/]+\.py)`(?: `(\w+)`)? \|")


def defined(module: str) -> set[str]:
    """Return the names of what a module defines at its top."""
    names = set()
    for node in ast.parse((code.ROOT / module).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(one.id for one in node.targets if isinstance(one, ast.Name))
    return names


def test_the_glossary_has_each_word_once_and_its_things_are_there() -> None:
    """One word, one thing, under the name that the page gives."""
    lines = (code.ROOT / GLOSSARY).read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| word |")]
    entries = [(line, ENTRY.fullmatch(line)) for line in rows]
    nothing([f"not an entry: {line}" for line, entry in entries if entry is None])
    found = [entry.groups() for _, entry in entries if entry is not None]
    words = [word for word, _, _ in found]
    nothing([f"{word} stands there more than once" for word in words if words.count(word) > 1])
    nothing(
        [
            f"{word}: {module} defines no {name}"
            for word, module, name in found
            if not (code.ROOT / module).exists() or (name and name not in defined(module))
        ]
    )
    assert len(found) > 60
