"""When random faults happen: ``NEUROFLAME_TEST_KILLS`` moments for each, from the seed ``NEUROFLAME_TEST_SEED`` on."""

import os

_SEED = int(os.environ.get("NEUROFLAME_TEST_SEED", "0"))
MOMENTS = range(_SEED, _SEED + int(os.environ.get("NEUROFLAME_TEST_KILLS", "1")))
