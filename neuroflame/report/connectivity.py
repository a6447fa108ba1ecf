"""A picture of a network's connectivity: the weights, in-degrees, what angles do to them, eigenvalues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Circle

from neuroflame.report.labels import escape
from neuroflame.report.style import FAINT, INK, MUTED, new_figure, styled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#1f6fb2", "#c8452f", "#2f8f5b", "#8a5fb0", "#b9801c", "#3aa0a8", "#a34d7d", "#6b7480")


@styled
def plot_connectivity(
    sizes: Mapping[str, int],
    pairs: Mapping[str, tuple[str, str]],
    weights: Mapping[str, np.ndarray],
    in_degrees: Mapping[str, np.ndarray],
    eigenvalues: np.ndarray | None = None,
    bulk: float = 0.0,
    title: str = "",
) -> Figure:
    """Draw the effective weights of a network and their marginals.

    Parameters
    ----------
    sizes : mapping of str to int
        Neurons of each population, in order.
    pairs : mapping of str to tuple
        Of each connected pair its postsynaptic and its presynaptic population.
    weights : mapping of str to ndarray, (bins, bins)
        Of each pair the mean weight between bins of neighbouring neurons, post by pre.
    in_degrees : mapping of str to ndarray, (N_post,)
        Of each pair.
    eigenvalues : ndarray, complex, optional
        Leading eigenvalues; without them their panel is left out.
    bulk : float
        Radius of the disc that the circular law predicts.
    title : str
        Plain text.

    Returns
    -------
    Figure
    """
    panels = 3 if eigenvalues is None else 4
    neurons = " + ".join(f"{size:,} {name}" for name, size in sizes.items())
    fig = new_figure(
        3.55 * panels, 3.3, title, f"{neurons} neurons; weights are J, its scaling and C together"
    )
    axes = fig.subplots(1, panels)
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(pairs)}
    _matrix(fig, axes[0], sizes, pairs, weights)
    _degrees(axes[1], in_degrees, colours)
    _angles(axes[2], weights, colours)
    if eigenvalues is not None:
        _eigenvalues(axes[3], eigenvalues, bulk)
    return fig


def _matrix(
    fig: Figure,
    ax: Axes,
    sizes: Mapping[str, int],
    pairs: Mapping[str, tuple[str, str]],
    weights: Mapping[str, np.ndarray],
) -> None:
    """Draw the blocks side by side, each population as large as its share of the neurons."""
    ends = np.cumsum([0, *sizes.values()]) / sum(sizes.values())
    place = {name: (ends[i], ends[i + 1]) for i, name in enumerate(sizes)}
    largest = max((float(np.abs(block).max()) for block in weights.values()), default=0.0) or 1.0
    image = None
    for name, (post, pre) in pairs.items():
        (left, right), (top, bottom) = place[pre], place[post]
        image = ax.imshow(
            weights[name],
            extent=(left, right, bottom, top),
            cmap="RdBu_r",
            vmin=-largest,
            vmax=largest,
            aspect="auto",
            interpolation="nearest",
        )
    ax.set(xlim=(0, 1), ylim=(1, 0), xlabel="presynaptic", ylabel="postsynaptic", title="mean weight")
    middles = [(low + high) / 2 for low, high in place.values()]
    ax.set_xticks(middles, [escape(name) for name in sizes])
    ax.set_yticks(middles, [escape(name) for name in sizes])
    ax.tick_params(length=0)
    for end in ends[1:-1]:
        ax.axhline(end, color=INK, linewidth=0.8)
        ax.axvline(end, color=INK, linewidth=0.8)
    if image is not None:
        bar = fig.colorbar(image, ax=ax, shrink=0.85)
        bar.formatter.set_powerlimits((-2, 3))  # type: ignore[attr-defined]
        bar.outline.set_visible(False)


def _degrees(ax: Axes, in_degrees: Mapping[str, np.ndarray], colours: Mapping[str, str]) -> None:
    """Draw the histogram of in-degrees of each pair; a line where all neurons have one."""
    for name, degrees in in_degrees.items():
        low, high = int(degrees.min()), int(degrees.max())
        label = f"{escape(name)}  {degrees.mean():.4g} ± {degrees.std():.3g}"
        if low == high:
            ax.axvline(low, color=colours[name], linestyle=":", label=label)
            continue
        step = max(1, -(-(high - low + 1) // 40))
        counts, edges = np.histogram(degrees, bins=np.arange(low, high + step + 1, step) - 0.5)
        ax.stairs(counts / len(degrees), edges, color=colours[name], label=label)
    ax.set(xlabel="in-degree", ylabel="share of neurons", title="in-degrees (mean ± s.d.)")
    ax.set_ylim(bottom=0.0)
    ax.margins(y=0.25)
    ax.legend(loc="best", handlelength=1.0)


def _angles(ax: Axes, weights: Mapping[str, np.ndarray], colours: Mapping[str, str]) -> None:
    """Draw the mean weight over the difference of preferred angles of the two neurons."""
    for name, block in weights.items():
        bins = len(block)
        index = np.arange(bins)
        mean = np.array([block[(index + shift) % bins, index].mean() for shift in range(bins)])
        degrees = np.concatenate([index, [bins]]) * 360.0 / bins - 180.0
        around = np.roll(mean, bins // 2)
        ax.plot(degrees, np.append(around, around[0]), color=colours[name], label=escape(name))
    ax.axhline(0.0, color=FAINT, linewidth=0.8, zorder=0)
    ax.set(
        xlim=(-180, 180), xlabel="difference of preferred angles (degrees)", title="mean weight over angle"
    )
    ax.set_xticks([-180, -90, 0, 90, 180])
    ax.ticklabel_format(axis="y", scilimits=(-2, 3))
    ax.legend(loc="best", handlelength=1.0)


def _eigenvalues(ax: Axes, eigenvalues: np.ndarray, bulk: float) -> None:
    """Draw eigenvalues in the complex plane, and the disc of the circular law."""
    ax.axhline(0.0, color=FAINT, linewidth=0.8, zorder=0)
    ax.axvline(0.0, color=FAINT, linewidth=0.8, zorder=0)
    if bulk:
        ax.add_patch(Circle((0.0, 0.0), bulk, fill=False, edgecolor=MUTED, linestyle="--"))
    ax.plot(eigenvalues.real, eigenvalues.imag, "o", color=COLOURS[0], markersize=4)
    reach = 1.15 * max(bulk, float(np.abs(eigenvalues).max()), 1e-12)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="real", ylabel="imaginary")
    ax.set_title(f"{len(eigenvalues)} leading eigenvalues; circular law: {bulk:.3g}")
