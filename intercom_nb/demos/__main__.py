"""``python -m intercom_nb.demos``."""

import sys

from intercom_nb.demos.program import main

sys.exit(main())
