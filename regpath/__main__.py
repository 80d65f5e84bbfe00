"""Run the command line as ``python -m regpath``."""

from regpath.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
