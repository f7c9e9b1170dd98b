"""The house style, executed: what is not checked decays.

Each test lists every place that breaks one rule, so that one run shows all the work.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Final

from tests.support import source as code
from tests.support.source import Source, nothing

LINE_CHARS_MAX: Final = 100
MODULE_LINES_MAX: Final = 400
FUNCTION_LINES_MAX: Final = 60
FILE_BYTES_MAX: Final = 512 * 1024

#: What may not be used, and what to use instead.
BANNED_IN_PRODUCT: Final = {
    "time.sleep": "waiting is data: give a time to the inbox, or wait for an Event",
    "datetime.datetime.now": "time is an argument: take a Clock",
    "datetime.datetime.utcnow": "time is an argument: take a Clock",
    "datetime.datetime.today": "time is an argument: take a Clock",
    "datetime.date.today": "time is an argument: take a Clock",
}
BANNED_IN_TESTS: Final = {
    "time.sleep": "wait for what you mean: tests.support.deadline.wait_for",
}
#: Randomness is injected: these make a generator, all else of the module uses a hidden one.
RANDOM_ALLOWED: Final = frozenset({"random.Random", "random.SystemRandom", "random.seed"})

#: The places that may catch everything, with the reason; everything else names its errors.
BROAD_EXCEPT_ALLOWED: Final = {
    "remuda/frame/workers.py": "the hand boundary: a bug in one action must not end the daemon",
    "remuda/frame/loop.py": "the same for what the brain's thread starts itself",
    "remuda/frame/preparing.py": "what its thread meets is raised in the brain's",
    "launcher/fold.py": "a record that meets a bug is set aside, loudly (docs/adr/0011)",
    "builder/fold.py": "the same for records of images",
    "remuda/web/server.py": "the page boundary: a bug in one page must not end the endpoint",
    "remuda/store/kazoo_wire.py": "kazoo's I/O thread: a bug in a callback must not end it",
}

#: A word to the linter may stick out, with its reason: it must stand on its line.
PRAGMA: Final = re.compile(r"\s*# (?:noqa|type: ignore).*$")
LEFTOVERS: Final = re.compile(rf"\b({'FIX'}ME|{'TO'}DO)\b")
#: Traces of somebody's machine.
UNWANTED: Final = (
    # Accounts that images and CI systems bring are nobody's.
    re.compile(r"/(?:home|Users)/(?!zuul|jenkins|ubuntu|debian|fedora|cloud-user|ci\b)[a-z]\w+"),
    re.compile(r"[A-Z]:\\Users\\"),
    re.compile(r"(?i)\b(?:extra-)?index-url\b|--find-links|--trusted-host"),
    re.compile(r"<<<<<<< |>>>>>>> "),
)
ADR_SECTIONS: Final = ("Motivation", "Decision", "Alternatives")


def everything() -> tuple[Source, ...]:
    """Return the product's files and the tests'."""
    return (*code.product(), *code.tests())


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield all functions, nested ones too."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def banned_uses(sources: Iterable[Source], banned: dict[str, str]) -> list[str]:
    """Return every use of a banned name with its remedy."""
    return [
        source.at(node, f"{name}: {banned[name]}")
        for source in sources
        for node, name in code.uses(source)
        if name in banned
    ]


def test_banned_names_are_not_used() -> None:
    """No sleeps and no hidden clocks."""
    nothing(banned_uses(code.product(), BANNED_IN_PRODUCT))
    nothing(banned_uses(code.tests(), BANNED_IN_TESTS))


def test_randomness_is_injected() -> None:
    """A run can be repeated from its seed: nobody uses the module's own generator."""
    found = [
        source.at(node, f"{name}: take a random.Random")
        for source in everything()
        for node, name in code.uses(source)
        if name.startswith("random.") and ".".join(name.split(".")[:2]) not in RANDOM_ALLOWED
    ]
    nothing(found)


def test_nobody_prints() -> None:
    """Daemons log, commands echo."""
    found = [
        source.at(node, "print")
        for source in code.product()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"print", "pprint", "breakpoint"}
    ]
    nothing(found)


#: What prints; everything that is not a job's own output goes by remuda/cli/terminal.py.
PRINTING: Final = frozenset(
    {
        *("click.echo", "click.secho", "click.echo_via_pager", "click.prompt", "click.confirm"),
        *("sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__", "os.write", "os.writev"),
        *("rich.print", "rich.console.Console", "rich.live.Live", "rich.status.Status"),
        *("traceback.print_exc", "traceback.print_exception", "traceback.print_stack"),
        *("sys.__excepthook__", "faulthandler.enable", "pprint.pprint", "rich.get_console"),
    }
)
PRINTING_ALLOWED: Final = {
    "remuda/cli/terminal.py": "the one way to the terminal",
    "remuda/cli/serving.py": "flushes, before it leaves at once",
    "remuda/cli/output.py": "tables: every cell and note is made visible",
    "remuda/cli/image/logs.py": "flushes; a build's output as it came, never to a terminal",
    "remuda/logs.py": "the stream of the logs, which are made visible",
    "remuda/config/reference.py": "writes our own documentation",
    "remuda/metrics/reference.py": "writes our own documentation",
    "remuda/model/diagrams.py": "writes our own documentation",
    "remuda/ssh/streams.py": "wakes a pipe; passes a job's own output on",
    "requestor/commands/ending.py": "one sentence of ours, on the way out",
    "requestor/commands/kept_nodes.py": "wakes a pipe",
    "requestor/commands/request.py": "passes on what our own child has said; flushes",
    "requestor/commands/streams.py": "a job's own output; JSON lines",
    "requestor/commands/waiting.py": "one line that is made visible",
}


def printing() -> dict[str, list[str]]:
    """Return every use of what prints, by file."""
    found: dict[str, list[str]] = {}
    for source in code.product():
        for node, name in code.uses(source) if source.package != "sandbox" else ():
            if any(name == one or name.startswith(f"{one}.") for one in PRINTING):
                found.setdefault(source.path, []).append(source.at(node, name))
    return found


def test_nothing_reaches_the_terminal_past_the_filter() -> None:
    """Texts of records may steer it: say it with remuda.cli.terminal, or show a Sheet."""
    found = printing()

    nothing([one for path, uses in found.items() if path not in PRINTING_ALLOWED for one in uses])
    nothing(sorted(set(PRINTING_ALLOWED) - set(found)))


def test_mocks_are_not_used() -> None:
    """Fakes that pass the contract tests; a mock only repeats what its author believed."""
    found = [
        source.at(node, name)
        for source in everything()
        for node, name in code.imports(source)
        if name.startswith(("unittest.mock", "mock."))
    ]
    nothing(found)


def catches_everything(handler: ast.ExceptHandler) -> bool:
    """Return whether the handler swallows errors that nobody foresaw.

    One whose last word is a plain ``raise`` only tidies up on the way.
    """
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return False
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"} for kind in kinds
    )


def test_nobody_catches_everything() -> None:
    """One hand boundary per process may; it turns the error into an event."""
    found = [
        source.at(node, "catches everything")
        for source in code.product()
        if source.path not in BROAD_EXCEPT_ALLOWED
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler) and catches_everything(node)
    ]
    suppressed = [
        source.at(node, "suppresses everything")
        for source in code.product()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("suppress")
        and {ast.unparse(kind) for kind in node.args} & {"Exception", "BaseException"}
    ]
    nothing(found + suppressed)


def test_the_list_of_exceptions_is_not_longer_than_needed() -> None:
    """An entry whose reason went away goes, too."""
    catching = {
        source.path
        for source in code.product()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler) and catches_everything(node)
    }
    there = {source.path for source in code.product()}
    nothing(sorted((there & set(BROAD_EXCEPT_ALLOWED)) - catching))


def test_nothing_is_left_over() -> None:
    """Work to do is a ticket, not a comment."""
    found = [
        f"{source.path}:{number}: {line.strip()}"
        for source in everything()
        for number, line in enumerate(source.text.splitlines(), 1)
        if LEFTOVERS.search(line)
    ]
    nothing(found)


def test_modules_have_no_mutable_state() -> None:
    """No ``global``; what a module holds is Final, or frozen."""
    mutable = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    found = [
        source.at(node, "global")
        for source in code.product()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Global)
    ]
    for source in code.product():
        for node in source.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, mutable):
                names = ", ".join(ast.unparse(target) for target in node.targets)
                if names != "__all__":
                    found.append(source.at(node, f"{names} is mutable: say Final, if it is"))
            elif (
                isinstance(node, ast.AnnAssign)
                and isinstance(node.value, mutable)
                and "Final" not in ast.unparse(node.annotation)
            ):
                found.append(source.at(node, f"{ast.unparse(node.target)} is not Final"))
    nothing(found)


def test_one_function_is_one_screen() -> None:
    """At most 70 lines, docstring included; 40 are better."""
    found = []
    for source in everything():
        for node in functions(source):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                found.append(source.at(node, f"{node.name} has {lines} lines"))
    nothing(found)


def test_one_module_is_one_noun() -> None:
    """At most 400 lines of at most 100 columns."""
    found = []
    for source in everything():
        lines = source.text.splitlines()
        if len(lines) > MODULE_LINES_MAX:
            found.append(f"{source.path}:1: {len(lines)} lines")
        found += [
            f"{source.path}:{number}: {len(line)} columns"
            for number, line in enumerate(lines, 1)
            if len(PRAGMA.sub("", line)) > LINE_CHARS_MAX
        ]
    nothing(found)


def undocumented(source: Source, body: list[ast.stmt]) -> Iterator[str]:
    """Yield public classes and functions without a docstring, in classes too."""
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if node.name.startswith("_"):
            continue
        marks = {ast.unparse(mark) for mark in node.decorator_list}
        if ast.get_docstring(node) is None and not marks & {"overload", "typing.overload"}:
            yield source.at(node, f"{node.name} has no docstring")
        if isinstance(node, ast.ClassDef):
            yield from undocumented(source, node.body)


def test_everything_public_says_what_it_promises() -> None:
    """Modules, classes, functions, methods, and every test."""
    found = [
        f"{source.path}:1: no module docstring"
        for source in everything()
        if source.text.strip() and ast.get_docstring(source.tree) is None
    ]
    for source in everything():
        found += undocumented(source, source.tree.body)
    nothing(found)


def test_no_traces_of_somebodys_machine() -> None:
    """What is committed is true everywhere."""
    found = []
    for path in code.files():
        if path == code.ROOT / "tests/test_tidy.py" or path.stat().st_size > FILE_BYTES_MAX:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if any(pattern.search(line) for pattern in UNWANTED):
                found.append(f"{path.relative_to(code.ROOT)}:{number}: {line.strip()[:80]}")
    nothing(found)


def test_no_blobs() -> None:
    """Sources, not products."""
    found = [str(path) for path in code.files() if path.stat().st_size > FILE_BYTES_MAX]
    nothing(found)


def test_decisions_are_numbered_and_complete() -> None:
    """docs/adr/NNNN-title.md, without gaps, each with why, what, and what else was thought of."""
    records = sorted(path for path in (code.ROOT / "docs/adr").glob("[0-9]*.md"))
    numbers = [path.name[:4] for path in records]
    assert numbers == [f"{number:04d}" for number in range(1, len(records) + 1)]
    found = []
    for path in records:
        text = path.read_text(encoding="utf-8")
        if not re.match(rf"# (?:ADR )?{path.name[:4]}\b", text):
            found.append(f"{path.name}: begins with no '# {path.name[:4]}: title'")
        found += [
            f"{path.name}: no section {section!r}"
            for section in ADR_SECTIONS
            if not re.search(rf"^## {section}", text, re.MULTILINE)
        ]
    nothing(found)
