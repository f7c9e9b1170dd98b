"""Logs are events: a dotted noun.verb, then ids and causes as fields; one line each.

    log = get_logger(daemon="launcher/east")
    log.info("node.ready", node="3000000001", request="200-0000000007", cause="checks passed")

:func:`configure` is called once by each process. What other libraries log through the standard
library goes the same way from WARNING on, and so does what ends a thread. Nothing that is known or
looks to be secret leaves the process, and nothing that a terminal would obey.
"""

import json
import logging
import sys
import threading
from collections.abc import MutableMapping
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter

from remuda.jsontext import to_json
from remuda.redaction import redact, redact_middle
from remuda.visible import visible, visible_lines

Format = Literal["plain", "json"]
LogEvent = MutableMapping[str, Any]

#: The standard library's logger that all of ours go through.
ROOT: Final = "remuda"
#: A field longer than this is cut in the middle: enough for a fault, too little for a log file.
FIELD_CHARS_MAX: Final = 2_000
#: Stack traces and console logs are worth more; what matters of them stands at the end.
LONG_FIELD_CHARS_MAX: Final = 16_000
LONG_FIELDS: Final = frozenset({"exception", "stack", "console", "output"})
#: A field's name is a word; what is longer is none of ours.
NAME_CHARS_MAX: Final = 100
#: An event with more fields than this is somebody's mistake.
FIELDS_MAX: Final = 40

#: What every event has, besides what structlog needs itself.
_ALWAYS: Final = ("t", "level", "event", "_record", "_from_structlog")
_PLAIN_WORD: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:/@+,%[]"
)


def configure(
    format: Format = "plain",  # noqa: A002 - the word of the configuration
    level: str = "INFO",
    *,
    stream: TextIO | None = None,
) -> None:
    """Send all logs of this process to *stream* (standard error).

    Args:
        format: ``plain`` for people, ``json`` for collectors.
        level: Of our own events; other libraries speak from WARNING on.
        stream: Where to.

    Raises:
        ValueError: If *level* is no level of the standard library.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(format))
    ours = logging.getLogger(ROOT)
    ours.setLevel(level.upper())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_ended


def get_logger(**ids: object) -> BoundLogger:
    """Return a logger whose every event carries *ids*, such as ``daemon=`` and ``provider=``.

    Nothing global of structlog is touched: without :func:`configure` the standard library's
    defaults hold, that is, warnings go to standard error and the rest nowhere.
    """
    logger: BoundLogger = structlog.wrap_logger(
        logging.getLogger(ROOT),
        processors=[
            structlog.stdlib.filter_by_level,
            *_common(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=BoundLogger,
    )
    return logger.bind(**ids)


def _thread_ended(args: threading.ExceptHookArgs) -> None:
    """Log what ended a thread: Python's own words would go to the terminal as they are."""
    if args.exc_type is not SystemExit and args.exc_value is not None:
        name = args.thread.name if args.thread else None
        get_logger().error("thread.ended", thread=name, exc_info=args.exc_value)


def _common() -> list[structlog.typing.Processor]:
    """Return what is done to every event, ours or others'."""
    return [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="t"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _tame,
    ]


def _formatter(format_: Format) -> ProcessorFormatter:
    return ProcessorFormatter(
        foreign_pre_chain=[_name_the_library, *_common()],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            _as_json if format_ == "json" else _as_plain,
        ],
    )


def _name_the_library(_logger: object, _method: str, event: LogEvent) -> LogEvent:
    """Give another library's sentence the form of our events."""
    record: logging.LogRecord = event["_record"]
    event["said"] = event["event"]
    event["event"] = f"library.{record.name.partition('.')[0]}"
    event["logger"] = record.name
    return event


def _tame(_logger: object, _method: str, event: LogEvent) -> LogEvent:
    """Take out secrets and cut what is too long."""
    always = {key: event.pop(key) for key in _ALWAYS if key in event}
    name = always.get("event")
    if isinstance(name, str) and not _PLAIN_WORD.issuperset(name):  # not one of ours
        always["event"] = redact_middle(name, FIELD_CHARS_MAX)
    some = dict(list(event.items())[:FIELDS_MAX])
    return {**always, **{_name(key): _bounded(key, value) for key, value in some.items()}}


def _name(key: str) -> str:
    return key if key.isidentifier() else redact_middle(key, NAME_CHARS_MAX)


def _bounded(key: str, value: object) -> object:
    most = LONG_FIELD_CHARS_MAX if key in LONG_FIELDS else FIELD_CHARS_MAX
    value = redact(key, value, chars_max=most)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    text = _text(value)
    return value if len(text) <= most else redact_middle(text, most)


def _text(value: object) -> str:
    if isinstance(value, list | dict | tuple):
        return to_json(value)
    return str(value)


def _as_json(_logger: object, _method: str, event: LogEvent) -> str:
    """Render one event as one line of JSON, the time and the event first.

    In ASCII, so that a terminal that shows it is safe, and a lone surrogate ends nobody.
    """
    first = {"t": event.pop("t", None), "level": event.pop("level", None)}
    doc = {**first, "event": event.pop("event", ""), **event}
    return to_json(doc)


def _as_plain(_logger: object, _method: str, event: LogEvent) -> str:
    """Render one event for people: one line, but stack traces below it, set in.

    No line of a stranger's text begins where our lines do, so none can pass for one of ours.
    """
    name = visible(str(event.pop("event", "")))
    head = f"{event.pop('t', '')} {event.pop('level', ''):7} {name}"
    below = [str(event.pop(key)) for key in ("exception", "stack") if key in event]
    fields = [
        f"{_quoted(key)}={_quoted(value)}" for key, value in event.items() if value is not None
    ]
    lines = (f"  {line}" for text in below for line in visible_lines(text).split("\n"))
    return "\n".join([" ".join([head, *fields]), *lines])


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else _text(value)
    if text and _PLAIN_WORD.issuperset(text):
        return text
    return visible(json.dumps(text, ensure_ascii=False))
