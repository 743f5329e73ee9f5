"""Say in one line what is missing to make a virtual environment; for the Makefile, on any Python 3."""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "amtui: needs Python 3.11 or newer, this is %d.%d; make PYTHON=python3.11" % sys.version_info[:2]
    )
try:
    import ensurepip  # noqa: F401
    import venv  # noqa: F401
except ImportError:
    sys.exit("amtui: needs venv: install the package python3-venv")
