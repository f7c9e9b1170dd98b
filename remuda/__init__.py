"""Remuda's shared core: nouns, store, clouds, SSH, configuration, metrics, runtime.

See ARCHITECTURE.md for the map.
"""

from typing import Final

__version__: Final = "0.1.0"
