"""Are the labels of a finished sweep robust? Sweeps that check them, in directories below its own.

Each check is an ordinary sweep over a list of assignments. A record in the directory of the sweep that is checked names
it; what the checks say is worked out when the table is read (`neuroflame.store`).
"""

from neuroflame.sweep.robust.plan import CheckRun, RobustPlan, plan_checks
from neuroflame.sweep.robust.run import check_robust, describe_checks, run_checks

__all__ = ["CheckRun", "RobustPlan", "check_robust", "describe_checks", "plan_checks", "run_checks"]
