"""What a network ends in, by name: from the statistics of a row, and from all rows of a point.

Labels follow from columns of the table alone, so that other thresholds can be tried on a finished one.
"""

from neuroflame.regimes.basins import basins
from neuroflame.regimes.evidence import is_evidence
from neuroflame.regimes.labels import LABEL_COLUMNS, LABELS, label_end_states
from neuroflame.regimes.memory import COURSE_COLUMNS, lifetimes
from neuroflame.regimes.points import SMALLEST, label_points, same_states
from neuroflame.regimes.robust import CHECKS, ROBUST_COLUMNS, robustness
from neuroflame.regimes.thresholds import Thresholds

__all__ = [
    "CHECKS",
    "COURSE_COLUMNS",
    "LABELS",
    "LABEL_COLUMNS",
    "ROBUST_COLUMNS",
    "SMALLEST",
    "Thresholds",
    "basins",
    "is_evidence",
    "label_end_states",
    "label_points",
    "lifetimes",
    "robustness",
    "same_states",
]
