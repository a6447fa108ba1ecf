"""Small networks whose behaviour is known."""

from neuroflame import Network


def single(**overrides):
    """One population of independent neurons with unit external input."""
    base = {
        "dt": 0.001,
        "duration": 0.2,
        "populations": {"E": {"size": 4, "tau": 0.02}},
        "J0": {"E": 1.0},
    }
    return build(base, **overrides)


def build(base, *, device="cpu", precision="double", executor="auto", seed=0, graph=0, **overrides):
    """Return a `Network` for a mapping and overrides of it."""
    from neuroflame.spec import NetworkSpec
    from neuroflame.spec.base import merge

    spec = NetworkSpec.parse(merge(base, overrides))
    return Network(spec, device=device, precision=precision, executor=executor, seed=seed, graph=graph)
