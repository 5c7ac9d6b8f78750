"""Labels of units and bins: what they say, as which symbol, on which paper; as PDF, ZPL and as a picture.

    pieces = pdf.render_pdf([Label("L2201308", "Laptop 14", "LAP00000412")])    # the bytes of a PDF, label after label

What draws (`pdf`, `zpl`, `picture`) is imported where it is done: it takes ten megabytes, and few processes draw.
No database here: sources of labels are in `queries`, see serials.labels_jobs.
"""

from serials.labels.content import Label, LabelRun, Symbology
from serials.labels.plan import Format, Plan
from serials.labels.sheets import SHEETS, LabelSheet

__all__ = [
    "SHEETS",
    "Format",
    "Label",
    "LabelRun",
    "LabelSheet",
    "Plan",
    "Symbology",
]
