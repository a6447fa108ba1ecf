"""Populations, transfer functions, connectivity, plasticity and slow currents of a legacy file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroflame.spec.legacy.populations import Populations
    from neuroflame.spec.legacy.reading import Legacy

UNIFORM = {"none", "", "unif", "uniform"}


class Recurrent:
    """Connectivity, couplings, plasticity and slow currents.

    Attributes
    ----------
    names : list of str
        Of the populations.
    degrees : list of float
        The original's K of each presynaptic population; 1 where all are connected to all.
    drawn : bool
        Whether any connectivity is drawn at random.
    """

    def __init__(self, legacy: Legacy, populations: Populations) -> None:
        self.legacy, note = legacy, legacy.ledger
        self.names, fractions, self.sizes = populations.names, populations.fractions, populations.sizes
        kind = legacy.text("CON_TYPE")
        if "sparse" not in kind and "all2all" not in kind:
            raise legacy.fault("CON_TYPE", "must be sparse or all2all", got=kind)
        self.sparse = "all2all" not in kind
        in_degree = legacy.number("K") if self.sparse else 1.0
        split = legacy.late and legacy.flag("FRAC_K")
        self.degrees = [in_degree * (f if split else 1.0) for f in fractions]
        note.carry("CON_TYPE", f"connectivity.kind: {'sparse' if self.sparse else 'all_to_all'}")
        if self.sparse:
            note.carry("K", "connectivity.K")
        else:
            note.idle("K", "all to all: the original sets it to 1")
        if split:
            note.carry("FRAC_K", "K times frac for each presynaptic population")
        elif legacy.late:
            note.idle("FRAC_K", "off")
        self._couplings: dict[str, float] = {}
        self._plastic: dict[str, dict[str, Any]] = {}
        self._profiles: dict[str, dict[str, Any]] = {}
        self._pairs: dict[str, dict[str, Any]] = {}
        self._connect()
        self._plasticity()
        overruled = [changes.get("kind") == "all_to_all" for changes in self._pairs.values()]
        self.drawn = self.sparse and sum(overruled) < len(self.pairs)

    @property
    def pairs(self) -> list[tuple[str, int, int]]:
        """Name, postsynaptic and presynaptic population of each pair, row by row as the original's lists."""
        both = list(enumerate(self.names))
        return [(post + pre, i, j) for i, post in both for j, pre in both]

    # --- connectivity ---------------------------------------------------------------------------------------

    def connectivity(self) -> tuple[dict[str, Any], dict[str, float]]:
        """Return connectivity and couplings."""
        note = self.legacy.ledger
        found: dict[str, Any] = {"kind": "sparse" if self.drawn else "all_to_all"}
        if self.drawn:
            shared = len(set(self.degrees)) == 1
            found["K"] = self.degrees[0] if shared else dict(zip(self.names, self.degrees, strict=True))
            found["seed"] = self._seed()
        else:
            weighed = {own.get("profile", {}).get("kind") for own in self._pairs.values()}
            if weighed & {"low_rank", "gaussian"}:
                found["seed"] = self._seed()
            else:
                note.idle("SEED", "nothing is drawn")
            if self.sparse:
                note.carry("K", "√K in M0: the only pair is connected all to all")
        found["profile"] = self._shared_profile()
        redundant = () if self.drawn else ("kind",)
        pairs = {n: {k: v for k, v in own.items() if k not in redundant} for n, own in self._pairs.items()}
        found["pairs"] = {
            name: own for name, own in pairs.items() if own not in ({}, {"profile": found["profile"]})
        }
        return {key: value for key, value in found.items() if value != {}}, self._couplings

    def _seed(self) -> int:
        legacy, note = self.legacy, self.legacy.ledger
        value = legacy.values.get("SEED")
        clock = -1 if legacy.late else 0
        note.carry("SEED", "connectivity.seed: as random a draw, but another one than the original's")
        if value is None or str(value) == "None" or value == clock:
            note.carry(
                "SEED", "connectivity.seed: 0; the original draws by the clock, another network each time"
            )
            return 0
        return legacy.whole("SEED")

    def _connect(self) -> None:
        """Fill in couplings and profiles."""
        legacy, note = self.legacy, self.legacy.ledger
        gain, count = legacy.number("GAIN"), len(self.names) ** 2
        weights = legacy.numbers("Jab", count, exact=True)
        kinds, kappas = legacy.names("PROBA_TYPE", count), legacy.numbers("KAPPA", count, exact=True)
        phase = legacy.number("PHASE")
        self._kinds = {pair: kind for (pair, _, _), kind in zip(self.pairs, kinds, strict=True)}
        note.carry("Jab", "J, row by row: post, then pre")
        note.carry("GAIN", "folded into J")
        note.idle("KAPPA", "no profile uses it")
        note.idle("PHASE", "no profile uses it")
        note.idle("LR_MEAN LR_COV", "nothing is of low rank")
        for (pair, i, j), weight, kind, kappa in zip(self.pairs, weights, kinds, kappas, strict=True):
            self._profiles[pair] = profile = self._profile(kind, kappa, phase, first=i == j == 0)
            if profile["kind"] in {"low_rank", "gaussian"}:
                self._pairs[pair] = {"profile": profile}
            elif "gaussian" in kind:
                self._pairs[pair] = {"K": self._gaussian_degree(j)}
            self._couplings[pair] = gain * weight * self._factor(pair, j)
        note.carry("PROBA_TYPE", "connectivity.profile and connectivity.pairs")
        used = {profile["kind"] for profile in self._profiles.values()}
        if used - {"uniform"}:
            note.carry("KAPPA", "kappa of the profile")
        if "cosine" in used:
            note.carry("PHASE", "phase of the cosine profile, degrees")
        if "von_mises" in used:
            note.carry("KAPPA", "kappa of the profile; von Mises there has mean 1/2π, which is folded into J")

    def _profile(self, kind: str, kappa: float, phase: float, *, first: bool) -> dict[str, Any]:
        """Return a pair's profile; ``first``: of the first population onto itself."""
        note = self.legacy.ledger
        if "cos" in kind:
            if "spec" in kind:
                return {"kind": "cosine_weak", "kappa": kappa}
            return {"kind": "cosine", "kappa": kappa, "phase": phase}
        if "von_mises" in kind:
            turned = {"phase": 180.0} if kappa < 0 else {}
            return {"kind": "von_mises", "kappa": abs(kappa), **turned}
        if kind == "lr":
            return self._low_rank(kappa, first=first)
        if "gaussian" in kind:
            if not self.sparse:
                return {"kind": "gaussian"}
            note.carry(
                "PROBA_TYPE",
                "connectivity.pairs.*.K: probabilities there are clipped normal numbers, each drawn for one "
                "connection, which is the same as uniform ones of their mean",
            )
        elif kind.lower() not in UNIFORM:
            allowed = "cosine, cosine_spec, von_mises, lr, gaussian, None"
            note.lose("PROBA_TYPE", f"{kind} is none of {allowed}; the original silently takes it for None")
        return {"kind": "uniform"}

    def _low_rank(self, kappa: float, *, first: bool) -> dict[str, Any]:
        """Return a low-rank profile: two outer products of vectors that the original draws for its dual task."""
        legacy, note = self.legacy, self.legacy.ledger
        if "dual" not in legacy.text("TASK") or not first:
            what = "outside the dual task" if first else "beside the first population's own"
            note.lose(
                "PROBA_TYPE", f"low-rank connectivity (lr) {what}, for which the original has no vectors"
            )
            note.lose(
                [k for k in ("LR_MEAN", "LR_COV") if k not in note.cannot], "part of low-rank connectivity"
            )
            return {"kind": "uniform"}
        mean, rows = legacy.numbers("LR_MEAN", 4, exact=True), legacy.get("LR_COV")
        if not (isinstance(rows, list) and len(rows) == 4 and all(len(row) == 4 for row in rows)):
            raise legacy.fault("LR_COV", "must be a matrix of 4 by 4", got=rows)
        symmetric = rows[0][0] == rows[0][1]
        order = (0, 2) if symmetric else (0, 2, 1, 3)  # ours: m of each rank before n of each
        covariance = [[float(rows[i][j]) for j in order] for i in order]
        note.carry("LR_MEAN", "mean of the low-rank profile, m of each rank before n of each")
        note.carry(
            "LR_COV", "covariance of the low-rank profile: as random vectors, but others than the original's"
        )
        note.carry("KAPPA", "kappa of the profile")
        note.lose(
            "PROBA_TYPE",
            "low-rank vectors that are the patterns of the stimuli too: the connectivity carries over (low_rank), "
            "but its vectors and the patterns are drawn apart",
        )
        return {
            "kind": "low_rank",
            "kappa": kappa,
            "rank": 2,
            "mean": [mean[i] for i in order],
            "covariance": covariance,
            **({"symmetric": True} if symmetric else {}),
        }

    def _gaussian_degree(self, pre: int) -> float:
        """Return N E[clip(z K/N, 0, 1)], z standard normal: the mean in-degree of the original's clipped draw."""
        size, degree = self.sizes[pre], self.degrees[pre]
        ratio = degree / size
        density = (1.0 - math.exp(-0.5 / ratio**2)) / math.sqrt(2.0 * math.pi)
        return size * (ratio * density + 0.5 * math.erfc(1.0 / (ratio * math.sqrt(2.0))))

    def _factor(self, pair: str, pre: int) -> float:
        """Return what our coupling is to the original's, and set the pair's in-degree where it differs."""
        degree = self.degrees[pre]
        if self.sparse and "K" in self._pairs.get(pair, {}):
            return math.sqrt(self._pairs[pair]["K"] / degree)
        if self._profiles[pair]["kind"] == "gaussian" and "dense" not in self._kinds[pair]:
            return 1.0 / math.sqrt(self.sizes[pre])
        if self.sparse and self._profiles[pair]["kind"] == "von_mises":
            self._pairs.setdefault(pair, {})["K"] = degree / (2.0 * math.pi)
            return math.sqrt(1.0 / (2.0 * math.pi))
        if self._profiles[pair]["kind"] == "von_mises":
            return 1.0 / (2.0 * math.pi) / math.sqrt(degree)
        return 1.0 if self.sparse else 1.0 / math.sqrt(degree)

    def _shared_profile(self) -> dict[str, Any]:
        """Return the profile that most pairs have, and leave the others in ``pairs``."""
        own = {pair for pair, changes in self._pairs.items() if "profile" in changes}
        left = {pair: profile for pair, profile in self._profiles.items() if pair not in own}
        kinds = [(profile["kind"], profile.get("phase", 0.0)) for profile in left.values()]
        if not kinds:
            return {}
        kind, phase = max(dict.fromkeys(kinds), key=kinds.count)
        kappa: dict[str, float] = {}
        for pair, profile in left.items():
            if (profile["kind"], profile.get("phase", 0.0)) != (kind, phase):
                self._pairs.setdefault(pair, {})["profile"] = profile
            elif "kappa" in profile:
                kappa[pair] = profile["kappa"]
        if kind == "uniform":
            return {}
        return {"kind": kind, "kappa": kappa, **({"phase": phase} if phase else {})}

    # --- plasticity and slow currents -----------------------------------------------------------------------

    def plasticity(self) -> dict[str, dict[str, Any]]:
        """Return short-term plasticity by pair."""
        return self._plastic

    def _plasticity(self) -> None:
        """Fill in the plastic pairs, and replace their couplings."""
        legacy, note, count = self.legacy, self.legacy.ledger, len(self.names)
        if not legacy.flag("IF_STP"):
            return
        note.carry("IF_STP", "stp")
        kind = self.stp_kind()
        chosen = [True] + [False] * (count**2 - 1)
        if legacy.late:
            chosen = legacy.flags("IS_STP", count**2)
            note.carry("IS_STP", "which pairs are in stp, row by row: post, then pre")
            if any(chosen) and not chosen[0]:
                note.lose(
                    "IS_STP",
                    "plasticity that leaves out the first pair, for which the original has no weights",
                )
                return
        strength, gain = legacy.number("J_STP"), legacy.number("GAIN")
        number = max((i + 1 for i, on in enumerate(chosen) if on), default=1)
        utilisation, tau_fac, tau_rec = (legacy.numbers(key, number) for key in ("USE", "TAU_FAC", "TAU_REC"))
        for key, where in (("USE", "U"), ("TAU_FAC", "tau_fac"), ("TAU_REC", "tau_rec")):
            note.carry(key, f"stp.*.{where}{legacy.spare(key, number)}")
        note.carry("J_STP", f"J.{self.pairs[0][0]}, in place of Jab's first entry")
        for (pair, i, j), on, *rest in zip(self.pairs, chosen, utilisation, tau_fac, tau_rec, strict=False):
            if on:
                self._plastic[pair] = dict(zip(("U", "tau_fac", "tau_rec"), rest, strict=True), kind=kind)
                self._strengthen(pair, i, j, gain * strength)
                if kind != "markram_exp" and not (rest[1] > 0 and rest[2] > 0):
                    note.lose("STP_TYPE", "markram with a time constant of 0, which there means never")
        if legacy.flag("IF_NMDA") and sum(chosen) > 1:
            note.lose("IS_STP", "slow currents, which there come from the last plastic pair alone")

    def _strengthen(self, pair: str, post: int, pre: int, strength: float) -> None:
        """Set a plastic pair's coupling."""
        legacy, note = self.legacy, self.legacy.ledger
        old = self._couplings[pair]
        if not legacy.late:
            if not old:
                raise legacy.fault(
                    "Jab", "must not be 0 where synapses are plastic: the original divides by it"
                )
            self._couplings[pair] = strength * self._factor(pair, pre)
        elif post == pre == 0:
            self._couplings[pair] = strength
            kind = {"kind": "all_to_all"} if self.sparse else {}
            self._pairs[pair] = {**kind, "profile": {"kind": "uniform"}}
            text = "this version connects the pair all to all, J/N each, whatever its profile"
            note.carry("J_STP", f"J.{pair}, in place of Jab's first entry; {text}")
            if legacy.flag("LR_TRAIN"):
                return
            if legacy.number("LR_INI"):
                text = (
                    f"adds J_STP · GAIN / N times a normal number to each weight of {pair}; 0 leaves it out"
                )
                note.lose("LR_INI", text)
            else:
                note.carry("LR_INI", f"no random part in {pair}")
        else:
            share = legacy.numbers("W_STP", len(self.names) ** 2)[post * len(self.names) + pre]
            note.carry("W_STP", "J of the plastic pairs but the first: GAIN · J_STP · W_STP, sign of Jab")
            sign = math.copysign(1.0, old) if old else 0.0
            if not sign:
                raise legacy.fault(
                    "Jab", "must not be 0 where synapses are plastic: the original divides by it"
                )
            self._couplings[pair] = sign * strength * share * self._factor(pair, pre)

    def stp_kind(self) -> str:
        """Return the kind of short-term plasticity."""
        legacy, note = self.legacy, self.legacy.ledger
        given = legacy.text("STP_TYPE")
        usual = "markram" if legacy.late else "markram_lagged"
        note.carry("STP_TYPE", f"stp.*.kind: {usual}")
        if given == "markram":
            return usual
        if given == "markram_exp" and legacy.late:
            note.carry("STP_TYPE", "stp.*.kind: markram_exp")
            return "markram_exp"
        if given == "mato":
            note.lose("STP_TYPE", "plasticity that is driven by intervals between spikes (mato)")
        elif given == "hansel" and not legacy.late:
            note.lose("STP_TYPE", "synapses that transmit u x, whatever the rate (hansel)")
        else:
            allowed = "markram, markram_exp, mato" if legacy.late else "markram, hansel, mato"
            note.lose("STP_TYPE", f"{given} is none of {allowed}; the original silently takes markram for it")
        return usual

    def nmda(self) -> dict[str, Any] | None:
        """Return the slow currents."""
        legacy, note = self.legacy, self.legacy.ledger
        if not legacy.flag("IF_NMDA"):
            return None
        tau = legacy.numbers("TAU_NMDA", len(self.names))
        note.carry("IF_NMDA", f"nmda, from {self.names[0]}")
        note.carry("R_NMDA", "nmda.ratio")
        note.carry(
            "TAU_NMDA",
            f"nmda.tau, by the population that receives{legacy.spare('TAU_NMDA', len(self.names))}",
        )
        shared = tau[0] if len(set(tau)) == 1 else dict(zip(self.names, tau, strict=True))
        return {"ratio": legacy.number("R_NMDA"), "tau": shared, "sources": [self.names[0]]}
