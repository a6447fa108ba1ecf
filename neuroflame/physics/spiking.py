"""Leaky integrate-and-fire neurons and synapses that take spikes; times within a step are counted in steps."""

from neuroflame.physics.primitives import exp as exp
from neuroflame.physics.primitives import log as log
from neuroflame.physics.primitives import maximum as maximum
from neuroflame.physics.primitives import where as where


def lif_drift(voltage, wait, target, leak):
    """Return the voltage at the end of the step if the neuron does not fire in it.

    Exact for an input that is constant over the step.

    Parameters
    ----------
    voltage : voltage at its beginning
    wait : refractory time left at its beginning, during which the voltage stands still
    target : V_rest + I, what the voltage relaxes to
    leak : dt/τ
    """
    return target + (voltage - target) * exp(-leak * maximum(1.0 - wait, 0.0))


def lif_since_spike(drifted, wait, target, threshold, leak):
    """Return how long before the end of the step the voltage reached the threshold; −1 where it did not.

    A voltage that stands above threshold when the neuron is first free counts as having reached it then.
    """
    free = maximum(1.0 - wait, 0.0)
    rising = (drifted >= threshold) & (target > threshold) & (target > drifted)
    ratio = where(rising, (target - threshold) / where(rising, target - drifted, 1.0), 1.0)
    since = log(ratio) / leak
    since = where((since < free) & rising, since, free)
    return where((drifted >= threshold) & (free > 0.0), since, -1.0)


def lif_reset(drifted, wait, since, target, reset, leak, hold):
    """Return voltage and refractory time left at the end of the step.

    Parameters
    ----------
    drifted : what `lif_drift` returns
    since : what `lif_since_spike` returns
    reset : voltage after a spike
    hold : refractory time, steps
    """
    fired = since >= 0.0
    after = target + (reset - target) * exp(-leak * maximum(since - hold, 0.0))
    voltage = where(fired, after, drifted)
    return voltage, where(fired, maximum(hold - since, 0.0), maximum(wait - 1.0, 0.0))


def lif_step(voltage, wait, target, threshold, reset, leak, hold, height):
    """Return voltage, refractory time left and what is sent, one step later.

    ``height`` is what a neuron sends in a step in which it fires: 1/dt, Hz. At most one spike a step.
    """
    drifted = lif_drift(voltage, wait, target, leak)
    since = lif_since_spike(drifted, wait, target, threshold, leak)
    voltage, wait = lif_reset(drifted, wait, since, target, reset, leak, hold)
    return voltage, wait, where(since >= 0.0, height, 0.0)


def stp_event(u, x, rate, U, relax_fac, gain_fac, relax_rec, gain_rec):
    """Return utilisation, resources and what is transmitted one step later, for a train of spikes.

    Tsodyks, Pawelzik & Markram 1998, Neural Comput. 10:821. Relaxation over the step, then at a spike the
    utilisation rises, u x is transmitted, and the resources are used up by as much.

    Parameters
    ----------
    rate : 1/dt in a step with a spike, else 0
    U, relax_fac, gain_fac, relax_rec, gain_rec : as in `stp_step`, the relaxation exact
    """
    u = u + (U - u) * relax_fac
    x = x + (1.0 - x) * relax_rec
    u = u + U * (1.0 - u) * rate * gain_fac
    sent = u * x * rate
    return u, x - sent * gain_rec, sent


def note_interval(fired, step, last, previous, first, count, total, squares, local):
    """Return running sums over a train's interspike intervals, one step later.

    Sums are of differences from the first interval, so that they stay exact where intervals hardly vary.

    Parameters
    ----------
    fired : whether there is a spike at this step
    step : this step, as a floating-point number
    last : step of the last spike, 0 before the first
    previous, first : the last interval and the first one, steps
    count : number of intervals
    total, squares : sums of differences from the first interval, and of their squares
    local : Σ 2 |a − b| / (a + b) over neighbouring intervals
    """
    ended = fired & (last > 0.0)
    interval = step - last
    first = where(ended & (count < 1.0), interval, first)
    change = maximum(interval - previous, previous - interval)
    local = local + where(ended & (count > 0.0), 2.0 * change / (interval + previous), 0.0)
    moved = where(ended, interval - first, 0.0)
    count = count + where(ended, 1.0, count * 0.0)
    previous = where(ended, interval, previous)
    return where(fired, step, last), previous, first, count, total + moved, squares + moved * moved, local
