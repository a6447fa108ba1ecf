"""From a legacy file to our specification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuroflame.errors import SpecError
from neuroflame.spec.base import suggestion
from neuroflame.spec.legacy import keys
from neuroflame.spec.legacy.inputs import Inputs
from neuroflame.spec.legacy.populations import Populations
from neuroflame.spec.legacy.reading import Legacy
from neuroflame.spec.legacy.recurrent import Recurrent
from neuroflame.spec.network import NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from neuroflame.spec.legacy.report import LegacyReport


@dataclass(frozen=True)
class LegacyImport:
    """A network read from a legacy file.

    Attributes
    ----------
    spec : NetworkSpec
        The network.
    data : dict
        What a file of ours says of it: plain data that `NetworkSpec.parse` takes.
    report : LegacyReport
        What became of every key.
    """

    spec: NetworkSpec
    data: dict[str, Any]
    report: LegacyReport


def import_legacy(
    path: str | Path,
    changes: Mapping[str, Any] | None = None,
    *,
    defaults: str | Path | None = None,
    version: str | None = None,
    partial: bool = False,
) -> LegacyImport:
    """Read a network file of the original.

    Parameters
    ----------
    path : path
        The file.
    changes : mapping, optional
        Values, by the original's keys, that replace the file's.
    defaults : path, optional
        What the file is merged over; by default the ``defaults.yml`` beside it, where there is one.
    version : {"2024", "2026"}, optional
        As which version of the original to read it; by default 2026 if it has all the keys that that version
        cannot do without, 2024 otherwise.
    partial : bool
        Whether to import what can be when something cannot carry over.

    Raises
    ------
    SpecError
        If a value is missing or wrong, or, without ``partial``, if something cannot carry over; its
        ``report`` then says what became of every key.
    """
    legacy = Legacy(path, defaults, changes or {}, version)
    data = _convert(legacy)
    report = legacy.ledger.close(legacy.file, legacy.version)
    if not report.complete and not partial:
        whole = [note for note in report.cannot if not note.text.startswith("part of ")]
        names = ", ".join(f"{note.key} ({note.text.partition(';')[0]})" for note in whole)
        raise ImportRefused(
            f"cannot carry over: {names}",
            remedy="import the rest with --partial, in Python partial=True",
            file=legacy.file,
            report=report,
        )
    return LegacyImport(NetworkSpec.parse(data, file=legacy.file), data, report)


class ImportRefused(SpecError):
    """Something in a legacy file cannot carry over.

    Attributes
    ----------
    report : LegacyReport
        What became of every key.
    """

    def __init__(self, rule: str, *, report: LegacyReport, **where: Any) -> None:
        super().__init__(rule, **where)
        self.report = report


def _convert(legacy: Legacy) -> dict[str, Any]:
    """Return the network as plain data, every key noted."""
    _unread(legacy)
    populations = Populations(legacy)
    recurrent = Recurrent(legacy, populations)
    inputs = Inputs(legacy, recurrent)
    connectivity, couplings = recurrent.connectivity()
    data: dict[str, Any] = {
        "dt": legacy.number("DT"),
        "duration": inputs.duration(),
        "integrator": "exponential" if legacy.late else "dt_over_tau",
        "populations": populations.data(),
        "transfer": populations.transfer,
        "connectivity": connectivity,
        "J": couplings,
        "J0": inputs.drive(),
        "M0": inputs.rate,
        "stp": recurrent.plasticity(),
        "nmda": recurrent.nmda(),
        "stimuli": inputs.stimuli(),
        "feedforward": inputs.feedforward(),
        "noise": inputs.noise(),
        "initial": {"kind": "normal"},
    }
    legacy.ledger.carry("DT", "dt")
    _switches(legacy)
    _rest(legacy)
    return {key: value for key, value in data.items() if value not in (None, {}, [])}


def _unread(legacy: Legacy) -> None:
    """Note the keys that this version does not read."""
    note = legacy.ledger
    note.idle(keys.RUN_OPTIONS, "says how to run and what to keep, not what is simulated")
    note.idle("N_BATCH", "number of copies with other noise and starts: use repeat in a sweep, or seeds")
    note.idle(keys.SPIKING, "read by the original's spiking networks only")
    for old, new in keys.SUPERSEDED.items():
        held = {key: legacy.values[key] for key in new.split() if key in legacy.values}
        text = ", ".join(f"{key}: {value}" for key, value in held.items())
        note.idle(old, f"not read since before May 2024; what holds is {text or new}")
    note.idle(keys.FORGOTTEN, "not read by this version")
    note.idle(
        keys.ONLY_2024 if legacy.late else keys.ONLY_2026, f"not read by the version of {legacy.version}"
    )
    note.idle("SIGMA", "read, but nothing uses it")
    for key in legacy.values:
        if key not in keys.KNOWN:
            note.lose([key], f"is not a key of the original, which ignores it; {suggestion(key, keys.KNOWN)}")


def _switches(legacy: Legacy) -> None:
    """Note the switches, and the keys that matter only while one is on."""
    note = legacy.ledger
    for switch, what in keys.CANNOT.items():
        if legacy.flag(switch) and switch in note.open():
            if switch == "LR_READOUT" and legacy.late and not legacy.flag("LR_TRAIN"):
                note.idle("LR_READOUT", "LR_TRAIN is off")
            else:
                note.lose(switch, what)
                note.lose(
                    [k for k in keys.PARTS.get(switch, "").split() if k in note.open()], f"part of {switch}"
                )
    for switch, parts in keys.PARTS.items():
        if not legacy.flag(switch):
            note.idle([key for key in parts.split() if key in note.open()], f"{switch} is off")
    note.idle([switch for switch in (*keys.CANNOT, *keys.PARTS) if switch in note.open()], "off")


def _rest(legacy: Legacy) -> None:
    """Note what depends on the whole."""
    note = legacy.ledger
    if not legacy.late and str(legacy.values.get("SPARSE")) in {"semi"}:
        note.lose("SPARSE", "keeps only two of every four weights in a row; the importer keeps all")
    note.idle("SPARSE", "how weights are stored, not what they are")
    note.idle("CLAMP", "nothing is trained")
    for key in note.open():
        note.idle([key], "nothing that is on uses it")
