"""The step as a map: fixed points, their stability and continuation, and Lyapunov exponents; see docs/dynamics.md."""

from neuroflame.core.dynamics.continuation import Branch, check_range, continue_fixed_point
from neuroflame.core.dynamics.ensemble import Ensemble
from neuroflame.core.dynamics.fixed_points import FixedPoints, fixed_points
from neuroflame.core.dynamics.lyapunov import Lyapunov, lyapunov
from neuroflame.core.dynamics.map import StepMap
from neuroflame.core.dynamics.measures import DYNAMICS, measure_dynamics
from neuroflame.core.dynamics.newton import solve
from neuroflame.core.dynamics.spectrum import Spectrum, spectrum
from neuroflame.core.dynamics.symmetric import symmetric_growth

__all__ = [
    "DYNAMICS",
    "Branch",
    "Ensemble",
    "FixedPoints",
    "Lyapunov",
    "Spectrum",
    "StepMap",
    "check_range",
    "continue_fixed_point",
    "fixed_points",
    "lyapunov",
    "measure_dynamics",
    "solve",
    "spectrum",
    "symmetric_growth",
]
