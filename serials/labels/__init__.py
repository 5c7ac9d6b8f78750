"""Labels of units and bins: what they say, as which symbol, on which paper; as PDF, ZPL and as a picture.

    pieces = render_pdf([Label("L2201308", "Laptop 14", "LAP00000412")])    # the bytes of a PDF, label after label

No database here: sources of labels are in `queries`, see serials.labels_jobs.
"""

from serials.labels.content import Label, LabelRun, Symbology
from serials.labels.pdf import MOST, render_pdf
from serials.labels.plan import Format, Plan
from serials.labels.sheets import SHEETS, LabelSheet
from serials.labels.zpl import render_zpl

__all__ = [
    "MOST",
    "SHEETS",
    "Format",
    "Label",
    "LabelRun",
    "LabelSheet",
    "Plan",
    "Symbology",
    "render_pdf",
    "render_zpl",
]
