"""What follows the run of each point: runs one after the other, each from the state that the one before left.

Every executor that can go on from a state can make them.
"""

from neuroflame.core.protocols.chain import Chain
from neuroflame.core.protocols.loop import Loops, loops
from neuroflame.core.protocols.measures import measure_protocols
from neuroflame.core.protocols.ramp import RampCourse, loops_of, run_ramp
from neuroflame.core.protocols.recovery import Recovery, recover

__all__ = [
    "Chain",
    "Loops",
    "RampCourse",
    "Recovery",
    "loops",
    "loops_of",
    "measure_protocols",
    "recover",
    "run_ramp",
]
