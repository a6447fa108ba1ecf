"""Hebbian plasticity: how fast a weight grows for the rates on its two sides, and the step that keeps its sign."""

from neuroflame.physics.primitives import maximum as maximum
from neuroflame.physics.primitives import sqrt as sqrt
from neuroflame.physics.primitives import where as where


def growth_hebb(post, pre):
    """Return the product of the rates (Hebb 1949)."""
    return post * pre


def growth_cov(post, post_mean, pre, pre_mean):
    """Return the product of the rates' deviations from their running means (Sejnowski 1977, J. Math. Biol. 4:303)."""
    return (post - post_mean) * (pre - pre_mean)


def growth_bcm(post, threshold, pre):
    """Return post (post − θ) pre (Bienenstock, Cooper & Munro 1982, J. Neurosci. 2:32)."""
    return post * (post - threshold) * pre


def growth_corr(product, post_variance, pre_variance, sd_min):
    """Return the coefficient of correlation, from running means of products of deviations.

    By Cauchy and Schwarz it is in [−1, 1] where all three means weigh the past alike. Variation well below
    ``sd_min`` counts as none: it is the rounding of a constant rate.
    """
    least = sd_min * sd_min
    return product / sqrt((post_variance + least) * (pre_variance + least))


def weight_step(weight, growth, gain, keep, sign, ceiling):
    """Return the weight one step later: dw/dt = sign · η · growth − decay · w, kept between 0 and sign · ceiling.

    Parameters
    ----------
    weight, growth : of one connection
    gain : dt η
    keep : exp(−dt decay)
    sign : −1 or 1, of the coupling: no weight ever has the other sign (Dale); 0 where there is no coupling
    ceiling : magnitude at which weights saturate
    """
    size = maximum(sign * weight * keep + gain * growth, 0.0)
    return sign * where(size > ceiling, ceiling, size)
