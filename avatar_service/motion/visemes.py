"""Visemes, articulators and what each phone asks of the lips.

The fifteen visemes are those of the Oculus/Meta lip-sync convention. The articulators are the few
muscles-worth of degrees of freedom that a listener sees; the network predicts them and
lip_shapes.py turns them into ARKit coefficients.

Sources:
    Viseme grouping of English phones: Meta "Viseme reference" (sil PP FF TH DD kk CH SS nn RR aa E
    ih oh ou). Openness and rounding of vowels follow their height and rounding in the IPA chart.
    Gaussian dominance: Cohen & Massaro 1993, "Modeling coarticulation in synthetic visual speech".
    Which articulator a consonant leaves to its neighbours: JALI (Edwards et al. 2016), section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VISEMES: Final[tuple[str, ...]] = (
    "sil",
    "PP",
    "FF",
    "TH",
    "DD",
    "kk",
    "CH",
    "SS",
    "nn",
    "RR",
    "aa",
    "E",
    "ih",
    "oh",
    "ou",
)
NUM_VISEMES: Final = len(VISEMES)
VISEME_INDEX: Final[dict[str, int]] = {name: i for i, name in enumerate(VISEMES)}

ARTICULATORS: Final[tuple[str, ...]] = (
    "jaw",
    "closure",
    "rounding",
    "funnel",
    "spread",
    "labiodental",
    "tongue",
)
"""Each 0..1: jaw lowering; lips sealed; lips pursed (w, oo); lips pushed out into a funnel
(sh, o, r); mouth corners drawn apart; lower lip under the upper teeth; tongue tip seen."""
NUM_ARTICULATORS: Final = len(ARTICULATORS)
ARTICULATOR_INDEX: Final[dict[str, int]] = {name: i for i, name in enumerate(ARTICULATORS)}

JAW: Final = ARTICULATOR_INDEX["jaw"]
CLOSURE: Final = ARTICULATOR_INDEX["closure"]
ROUNDING: Final = ARTICULATOR_INDEX["rounding"]
FUNNEL: Final = ARTICULATOR_INDEX["funnel"]
SPREAD: Final = ARTICULATOR_INDEX["spread"]
LABIODENTAL: Final = ARTICULATOR_INDEX["labiodental"]
TONGUE: Final = ARTICULATOR_INDEX["tongue"]


@dataclass(frozen=True, slots=True)
class PhoneShape:
    """What one phone asks of the mouth.

    Attributes:
        viseme: one of VISEMES.
        jaw, rounding, funnel, spread, tongue: targets 0..1.
        lip_dominance: how strongly the phone insists on its lip shape (rounding, funnel, spread);
            1 for a vowel, small for consonants made by the tongue alone, which take the lips of
            their neighbours.
        jaw_dominance: the same for the jaw.
        seal_hold: share of the phone during which the lips are sealed; 0 for all but bilabials.
        labiodental_hold: share during which the lower lip touches the upper teeth.
    """

    viseme: str
    jaw: float
    rounding: float = 0.0
    funnel: float = 0.0
    spread: float = 0.0
    tongue: float = 0.0
    lip_dominance: float = 1.0
    jaw_dominance: float = 1.0
    seal_hold: float = 0.0
    labiodental_hold: float = 0.0


def _tongue_only(
    viseme: str, jaw: float, *, spread: float = 0.08, tongue: float = 0.0
) -> PhoneShape:
    return PhoneShape(
        viseme, jaw, spread=spread, tongue=tongue, lip_dominance=0.25, jaw_dominance=0.8
    )


# A stop's burst and aspiration are part of its segment but come after the lips part, hence the
# shorter hold of /p/ (about a third of an English /p/ is voice onset time: Lisker & Abramson 1964).
SHAPES: Final[dict[str, PhoneShape]] = {
    "SIL": PhoneShape("sil", 0.02, lip_dominance=0.6),
    "P": PhoneShape("PP", 0.08, lip_dominance=0.2, seal_hold=0.65),
    "B": PhoneShape("PP", 0.08, lip_dominance=0.2, seal_hold=0.85),
    "M": PhoneShape("PP", 0.08, lip_dominance=0.2, seal_hold=0.95),
    "F": PhoneShape("FF", 0.09, spread=0.1, lip_dominance=0.3, labiodental_hold=0.9),
    "V": PhoneShape("FF", 0.09, spread=0.1, lip_dominance=0.3, labiodental_hold=0.9),
    "TH": _tongue_only("TH", 0.18, tongue=1.0),
    "DH": _tongue_only("TH", 0.18, tongue=0.8),
    "T": _tongue_only("DD", 0.17, spread=0.12),
    "D": _tongue_only("DD", 0.18, spread=0.12),
    "DX": _tongue_only("DD", 0.22),
    "K": _tongue_only("kk", 0.25),
    "G": _tongue_only("kk", 0.25),
    "NG": _tongue_only("kk", 0.25),
    "X": _tongue_only("kk", 0.28),
    "HH": PhoneShape("aa", 0.35, lip_dominance=0.05, jaw_dominance=0.1),
    "CH": PhoneShape("CH", 0.13, rounding=0.15, funnel=0.75, jaw_dominance=1.3),
    "SH": PhoneShape("CH", 0.13, rounding=0.15, funnel=0.8, jaw_dominance=1.3),
    "CX": PhoneShape("CH", 0.18, spread=0.2, lip_dominance=0.4),
    "S": PhoneShape("SS", 0.09, spread=0.35, lip_dominance=0.5, jaw_dominance=1.4),
    "Z": PhoneShape("SS", 0.09, spread=0.35, lip_dominance=0.5, jaw_dominance=1.4),
    "TS": PhoneShape("SS", 0.10, spread=0.3, lip_dominance=0.5, jaw_dominance=1.3),
    "N": _tongue_only("nn", 0.20),
    "L": _tongue_only("nn", 0.24, tongue=0.35),
    "R": PhoneShape("RR", 0.23, rounding=0.3, funnel=0.45, lip_dominance=0.8),
    "RX": _tongue_only("RR", 0.25),
    "ER": PhoneShape("RR", 0.30, rounding=0.25, funnel=0.4, lip_dominance=0.8),
    "AA": PhoneShape("aa", 0.80),
    "AE": PhoneShape("aa", 0.72, spread=0.25),
    "AH": PhoneShape("aa", 0.55),
    "AX": PhoneShape("aa", 0.38, lip_dominance=0.6),
    "EH": PhoneShape("E", 0.50, spread=0.35),
    "EE": PhoneShape("E", 0.38, spread=0.45),
    "IH": PhoneShape("ih", 0.30, spread=0.4),
    "IY": PhoneShape("ih", 0.22, spread=0.6),
    "Y": PhoneShape("ih", 0.20, spread=0.45, lip_dominance=0.7),
    "AO": PhoneShape("oh", 0.60, rounding=0.35, funnel=0.55),
    "OO": PhoneShape("oh", 0.42, rounding=0.55, funnel=0.45),
    "OE": PhoneShape("oh", 0.40, rounding=0.5, funnel=0.45),
    "UH": PhoneShape("ou", 0.30, rounding=0.55, funnel=0.35),
    "UW": PhoneShape("ou", 0.22, rounding=0.9, funnel=0.25, lip_dominance=1.3),
    "UE": PhoneShape("ou", 0.20, rounding=0.9, funnel=0.25, lip_dominance=1.3),
    "W": PhoneShape("ou", 0.16, rounding=1.0, funnel=0.2, lip_dominance=1.5),
}
"""Canonical phones: ARPAbet, and AX schwa, X velar fricative, CX palatal fricative, RX tapped or
uvular r, TS affricate, EE close e, OO close o, OE and UE front rounded vowels."""

UNKNOWN: Final = "UNK"
"""A stretch whose phone is not known; it is masked in training and metrics."""

PHONE_NAMES: Final[tuple[str, ...]] = tuple(SHAPES)
PHONE_INDEX: Final[dict[str, int]] = {name: i for i, name in enumerate(PHONE_NAMES)}

BILABIALS: Final = frozenset(name for name, shape in SHAPES.items() if shape.seal_hold > 0)
LABIODENTALS: Final = frozenset(n for n, shape in SHAPES.items() if shape.labiodental_hold > 0)
