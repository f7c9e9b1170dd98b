"""The picture of the demo in the README, drawn from what it really printed.

    remuda demo | python -m tests.support.picture docs/images/demo.svg

On a machine with nothing else to do: the picture tells how long everything took.
"""

import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

_WIDTH: Final = 112
_STYLES: Final = {"$ ": "bold green", "== ": "bold cyan", "  $ ": "green"}
_LAST_WORDS: Final = "nothing is left behind."
#: Rich's own names a font that is fetched from the Internet; a picture must not do that.
_FORMAT: Final = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
    <style>

    .{unique_id}-matrix {{
        font-family: DejaVu Sans Mono, Menlo, Consolas, monospace;
        font-size: {char_height}px;
        line-height: {line_height}px;
        font-variant-east-asian: full-width;
    }}

    .{unique_id}-title {{
        font-size: 18px;
        font-weight: bold;
        font-family: arial;
    }}

    {styles}
    </style>

    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>

    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})"
        clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""


def drawn(lines: Iterable[str]) -> str:
    """Return a terminal with these lines in it as SVG; too long ones are cut."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO())
    for line in lines:
        style = next((one for begin, one in _STYLES.items() if line.startswith(begin)), "")
        console.print(Text(line, style=style), no_wrap=True, overflow="ellipsis")
    return console.export_svg(title="remuda demo", code_format=_FORMAT)


def main() -> None:
    """Pass on what comes in, and draw it if it ended well."""
    lines = ["$ make demo"]
    for line in sys.stdin:
        sys.stdout.write(line)
        sys.stdout.flush()
        lines.append(line.rstrip("\n"))
    if not lines[-1].endswith(_LAST_WORDS):
        sys.exit("the demo did not end well: no picture was drawn")
    Path(sys.argv[1]).write_text(drawn(lines))


if __name__ == "__main__":
    main()
