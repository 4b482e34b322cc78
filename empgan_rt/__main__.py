"""`python -m empgan_rt` is the command `empgan-rt`."""

import sys

from .cli.main import main

sys.exit(main())
