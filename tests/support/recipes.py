"""A configuration with a recipe, for tests that change it."""

from collections.abc import Callable
from typing import Final

Says = Callable[..., list[str]]

#: A label that boots an image of ours; everything below images: begins at line 17.
LABELS: Final = """\
labels:
  small:
providers:
  north:
    cloud: north
    pools:
      main:
        labels:
          small: {image: {built: noble}, flavor: m1.small}
  south:
    cloud: south
    pools:
      main: {labels: {small: {image: jammy, flavor: m1.small}}}
images:
  noble:
    base: ubuntu-noble
    flavor: {ram: 4GiB}
    steps:
      - {command: apt-get update, timeout: 5m, retries: 2, as-root: true}
"""
