"""Networks of the original NeuroFlame: its YAML files in, our specification and a complete report out.

Two versions of that code are reproduced, since the same file means different networks to them: that of
May 2024 (commit 4575eac), with which its sweeps were published, and that of February 2026 (commit f7560b5).
"""

from neuroflame.spec.legacy.importing import ImportRefused, LegacyImport, import_legacy
from neuroflame.spec.legacy.report import LegacyReport, Note
from neuroflame.spec.legacy.writing import to_yaml, write

__all__ = ["ImportRefused", "LegacyImport", "LegacyReport", "Note", "import_legacy", "to_yaml", "write"]
