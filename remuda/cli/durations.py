"""Durations on the command line, as a callback for click."""

import click

from remuda.config.units import WrongValueError, parse_duration


def duration(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """Return the seconds of ``90``, ``90s``, ``10m`` or ``2h``; None stays None.

    Raises:
        click.BadParameter: If it is none, or not more than nothing.
    """
    try:
        seconds = parse_duration(value)
    except WrongValueError as exc:
        raise click.BadParameter(f"{value!r} {exc}; {exc.hint}") from exc
    if seconds is None:
        return None
    if not isinstance(seconds, float) or seconds <= 0:
        raise click.BadParameter(f"{value!r} is not more than nothing")
    return seconds
