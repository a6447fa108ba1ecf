"""Dynamics of the external input."""

from neuroflame.physics.primitives import maximum as maximum
from neuroflame.physics.primitives import where as where


def afferent_rate(drive, scale):
    """Return the rate of the afferents, Hz, whose drive is ``scale`` = √K times it: √K · M0 · (J0 + stimuli)."""
    return maximum(drive, -drive) / scale


def afferent_drive(drive, sent, scale, static):
    """Return what plastic afferents pass on: a static share of their drive, and √K times the rate transmitted.

    Where the drive is negative, so is what is passed on.
    """
    return static * drive + scale * where(drive < 0.0, -sent, sent)


def adapted_drive(drive, level):
    """Return what passes of a drive whose adaptation has reached a level: what is above it."""
    return maximum(drive - level, 0.0)
