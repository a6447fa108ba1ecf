"""Relaxation and short-term plasticity."""


def relax(value, target, decay):
    """Return the value one step later, relaxing exponentially to a target that is constant over the step.

    ``decay`` is exp(−dt/τ), 0 for τ = 0: exact for a constant target (exponential Euler).
    """
    return target + (value - target) * decay


def stp_step(u, x, rate, U, relax_fac, gain_fac, relax_rec, gain_rec):
    """Return utilisation, resources and transmitted rate one step later.

    Markram, Wang & Tsodyks 1998, PNAS 95:5323, mean-field. The resources move first, with the old utilisation;
    what is transmitted uses the new values of both.

    Parameters
    ----------
    u, x : utilisation and available resources of the synapses, one value per presynaptic neuron
    rate : presynaptic rate, Hz
    U : utilisation at rest
    relax_fac, relax_rec : fraction of the way to rest in a step: dt/τ, or 1 − exp(−dt/τ); 0 where τ = 0
    gain_fac, gain_rec : dt in seconds; 0 where τ = 0, which leaves out facilitation or depression
    """
    x = x + ((1.0 - x) * relax_rec - u * x * rate * gain_rec)
    u = u + ((U - u) * relax_fac + U * (1.0 - u) * rate * gain_fac)
    return u, x, u * x * rate


def stp_step_lagged(u, x, rate, U, relax_fac, gain_fac, relax_rec, gain_rec):
    """Return the same as `stp_step`, but what is transmitted uses the utilisation from before the step."""
    after, x, _ = stp_step(u, x, rate, U, relax_fac, gain_fac, relax_rec, gain_rec)
    return after, x, u * x * rate
