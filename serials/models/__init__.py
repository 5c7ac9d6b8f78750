"""The models of units, their numbers and labels; import them from here."""

from serials.models.labels import LabelPrint, LabelSetting, LabelShift, PrintedLabel
from serials.models.numbers import NumberScheme, SchemeState, SkuNumbering
from serials.models.units import NOTE_LENGTH, SEARCHED, FoundList, Lot, Unit, UnitAttribute, UnitEvent

__all__ = [
    "NOTE_LENGTH",
    "SEARCHED",
    "FoundList",
    "LabelPrint",
    "LabelSetting",
    "LabelShift",
    "Lot",
    "NumberScheme",
    "PrintedLabel",
    "SchemeState",
    "SkuNumbering",
    "Unit",
    "UnitAttribute",
    "UnitEvent",
]
