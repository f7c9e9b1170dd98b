"""``python -m sandbox``."""

import sys

try:
    from sandbox.cli import main
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] == "sandbox":
        raise
    sys.exit(f"sandbox: {missing}; docs/sandbox.md says what it needs")

if __name__ == "__main__":
    main()
