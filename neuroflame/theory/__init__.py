"""Theory beside simulation: what a network should do, predicted from its numbers without simulating it.

Formulas, sources and where they hold: docs/theory.md. Nothing here needs torch.
"""

from neuroflame.theory.balance import Balance, balance, scaled
from neuroflame.theory.bump import Bump, LinearBump, bumps, linear_bump
from neuroflame.theory.chaos import Chaos, chaos
from neuroflame.theory.disorder import predict_disorder
from neuroflame.theory.folds import nearest_fold
from neuroflame.theory.homogeneous import States, homogeneous_states
from neuroflame.theory.meanfield import MeanField, NotCovered, mean_field, number_at
from neuroflame.theory.modes import Modes, mode_eigenvalues, mode_growth
from neuroflame.theory.predict import Predicted, predict, unknown
from neuroflame.theory.random import circular_law_radius, disc_growth, growth_of_eigenvalue, outliers
from neuroflame.theory.regime import Prediction, predict_regime
from neuroflame.theory.step import Growth

__all__ = [
    "Balance",
    "Bump",
    "Chaos",
    "Growth",
    "LinearBump",
    "MeanField",
    "Modes",
    "NotCovered",
    "Predicted",
    "Prediction",
    "States",
    "balance",
    "bumps",
    "chaos",
    "circular_law_radius",
    "disc_growth",
    "growth_of_eigenvalue",
    "homogeneous_states",
    "linear_bump",
    "mean_field",
    "mode_eigenvalues",
    "mode_growth",
    "nearest_fold",
    "number_at",
    "outliers",
    "predict",
    "predict_disorder",
    "predict_regime",
    "scaled",
    "unknown",
]
