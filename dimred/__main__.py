"""`python -m dimred` is the command `dimred`."""

import sys

from dimred.cli import main

sys.exit(main())
