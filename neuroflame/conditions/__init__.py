"""What is asked of the rows of a table: conditions that hold or not, and goals that are met more or less.

Depends on `neuroflame.errors` and numpy alone, so that specifications, sweeps and reports can all use it.
"""

from neuroflame.conditions.condition import Condition, parse_condition
from neuroflame.conditions.goals import Goal, front
from neuroflame.conditions.violation import violation

__all__ = ["Condition", "Goal", "front", "parse_condition", "violation"]
