"""The exceptions that NeuroFlame raises on purpose.

Every one of them can say, on one line, where the fault is (file and path in it), which rule was broken,
what was given and what to do about it. The command line prints that line and nothing else.
"""

from __future__ import annotations


class NeuroflameError(Exception):
    """Base class of all errors that NeuroFlame raises on purpose.

    Parameters
    ----------
    rule : str
        What must hold, as a sentence fragment ("must be positive").
    got : object, optional
        What was given.
    remedy : str, optional
        What the user can do about it.
    path : str, optional
        Dotted path inside the file, such as ``populations.E.tau``.
    file : str, optional
        The file that the value came from.
    """

    exit_code = 2

    def __init__(
        self,
        rule: str,
        *,
        got: object = None,
        remedy: str | None = None,
        path: str | None = None,
        file: str | None = None,
    ) -> None:
        self.rule = rule
        self.got = got
        self.remedy = remedy
        self.path = path
        self.file = file
        super().__init__(rule)

    def located(self, *, file: str | None = None, path: str | None = None) -> NeuroflameError:
        """Return self with the file and the path filled in where they were unknown."""
        self.file = self.file or file
        self.path = self.path or path
        return self

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.file, self.path) if part)
        text = f"{where}: {self.rule}" if where else self.rule
        if self.got is not None:
            shown = repr(self.got)
            text += f", got {shown if len(shown) <= 80 else shown[:77] + '...'}"
        if self.remedy:
            text += f" ({self.remedy})"
        return " ".join(text.split())

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.rule, self.got, self.remedy, self.path, self.file)


def _rebuild(
    kind: type[NeuroflameError],
    rule: str,
    got: object,
    remedy: str | None,
    path: str | None,
    file: str | None,
) -> NeuroflameError:
    return kind(rule, got=got, remedy=remedy, path=path, file=file)


class SpecError(NeuroflameError, ValueError):
    """A network or sweep description is wrong."""


class StoreError(NeuroflameError, OSError):
    """A table on disk cannot be read, written or resumed."""

    def __init__(self, rule: str, **where: object) -> None:
        NeuroflameError.__init__(self, rule, **where)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return NeuroflameError.__str__(self)


class BackendError(NeuroflameError, RuntimeError):
    """The machines that should compute cannot be reached or lack what was asked for."""


class SimulationError(NeuroflameError, ValueError):
    """A simulation was asked for something that the network cannot do."""


class Interrupted(NeuroflameError):
    """A sweep was stopped by the user before it was complete; it can be resumed."""

    exit_code = 130
