"""How the command line says that something went wrong: one sentence, and an exit code.

docs/cli.md lists the codes. A traceback is only ever our own bug.
"""

import errno
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click

from remuda.cli.terminal import say
from remuda.config.problems import ConfigInvalidError
from remuda.model.fields import safe
from remuda.store.api import NoTreeError, StoreAwayError, StoreError, StoreRefusedError
from remuda.visible import visible, visible_lines

EXIT_MISTAKE: Final = 2
EXIT_STORE_AWAY: Final = 3
EXIT_FAILED: Final = 4
EXIT_TIMEOUT: Final = 5
EXIT_LOST: Final = 6
#: So many commands are named where several are meant.
_NAMED_MAX: Final = 3
#: As a shell shows a process that was ended by SIGINT.
EXIT_INTERRUPTED: Final = 130


@contextmanager
def _ctrl_c_interrupts() -> Iterator[None]:
    """Have Ctrl-C raise KeyboardInterrupt here, if it would just end the process."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


class CommandFailedError(click.ClickException):
    """Ends the command with one sentence on standard error and an exit code.

    It stays one line, whatever a record that it quotes may hold; *lines* are ours alone.
    """

    def __init__(self, message: str, exit_code: int, *, lines: str = "") -> None:
        one = visible(message)
        super().__init__(f"{one}\n{visible_lines(lines)}" if lines else one)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: Any = None) -> None:
        """Print the sentence."""
        say(f"remuda: {self.format_message()}", err=True, file=file)


class MistakeError(CommandFailedError):
    """What the user asked for makes no sense; the message says what would."""

    def __init__(self, message: str, *, lines: str = "") -> None:
        super().__init__(message, EXIT_MISTAKE, lines=lines)


def usage_mistake(error: click.UsageError) -> click.ClickException:
    """Return what click says of a command line, over several lines, as one sentence.

    A group that was called without words goes on showing its help.
    """
    words = " ".join(error.format_message().split())
    if error.ctx is None:
        return MistakeError(_sentence(words))
    if words == " ".join(error.ctx.get_help().split()):
        return error
    if isinstance(error, click.NoSuchOption) and (having := _having(error.option_name, error.ctx)):
        few = [*having[:_NAMED_MAX], *(["others"] if len(having) > _NAMED_MAX else [])]
        words = f"{error.option_name} comes after the command that it is for: {', '.join(few)}"
    return MistakeError(f"{_sentence(words)}; see {error.ctx.command_path} --help")


def _sentence(words: str) -> str:
    return words[:1].lower() + words[1:].rstrip(".")


def _having(option: str, ctx: click.Context) -> list[str]:
    """Return the commands of a group that have an option, which was written before any of them."""
    group = ctx.command
    if ctx.parent is None or not isinstance(group, click.Group):
        return []  # of all our commands too many have the same
    commands = {name: group.get_command(ctx, name) for name in group.list_commands(ctx)}
    return [
        f"{ctx.command_path} {name}"
        for name, command in commands.items()
        if command is not None and any(option in param.opts for param in command.params)
    ]


class PlainReader(click.Command):
    """Whatever reads words of a command line, and says in one sentence what is wrong with them."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the command line.

        Raises:
            click.ClickException: If it cannot be understood.
        """
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise usage_mistake(error) from error

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; none of them goes into a record, or to a machine, that is no text.

        Names of files may be any bytes.

        Raises:
            click.BadParameter: One of them is not in UTF-8.
        """
        rest = super().parse_args(ctx, args)
        for param in self.get_params(ctx):
            if isinstance(param.type, click.Path | click.File):
                continue
            value = ctx.params.get(param.name or "")
            for word in value if isinstance(value, tuple) else (value,):
                if isinstance(word, str) and safe(word, len(word)) != word:
                    raise click.BadParameter(f"{word[:80]!r} is not in UTF-8", ctx, param)
        return rest


class PlainCommand(PlainReader):
    """A command that turns the errors we know into a sentence and an exit code.

    Args:
        examples: Command lines that its ``--help`` shows.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples below the options."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            CommandFailedError: For every error that :meth:`failure` knows.
            click.exceptions.Exit: With 130 after Ctrl-C.
        """
        try:
            with _ctrl_c_interrupts():
                return super().invoke(ctx)
        except KeyboardInterrupt as ended:
            if type(ended) is not KeyboardInterrupt:
                raise  # a subclass knows of another signal than Ctrl-C
            raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
        except self._ending_errors() as error:
            failure = self.failure(error)
            if failure is None:
                raise
            raise failure from error

    def failure(self, error: Exception) -> CommandFailedError | None:
        """Return how the command ends by *error*, or None if that is our bug, or click's affair."""
        if isinstance(error, self.known_errors()):
            return self.explain_error(error)
        if isinstance(error, OSError) and error.filename is not None and error.errno != errno.EPIPE:
            return CommandFailedError(f"{error.filename}: {error.strerror}", 1)
        return None  # not about a file of the user's; click sees to the broken pipe

    def _ending_errors(self) -> tuple[type[Exception], ...]:
        """Return the errors that :meth:`failure` may know."""
        return (*self.known_errors(), OSError)

    def known_errors(self) -> tuple[type[Exception], ...]:
        """Return the errors that :meth:`explain_error` knows."""
        return (StoreError, ConfigInvalidError)

    def explain_error(self, error: Exception) -> CommandFailedError:
        """Return *error* as a sentence with an exit code."""
        if isinstance(error, ConfigInvalidError):
            return MistakeError("the configuration cannot be used:", lines=str(error))
        if isinstance(error, NoTreeError):
            return MistakeError(f"{error}: no launcher has ever run there")
        if isinstance(error, StoreRefusedError):
            return CommandFailedError(f"ZooKeeper cannot be used: {error}", EXIT_STORE_AWAY)
        if isinstance(error, StoreAwayError):
            return CommandFailedError(f"ZooKeeper cannot be reached: {error}", EXIT_STORE_AWAY)
        return CommandFailedError(f"ZooKeeper rejected a change: {error}", 1)
