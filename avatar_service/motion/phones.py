"""Phone symbols of several alphabets -> the canonical phones of visemes.py.

Alphabets: `arpabet` (CMU dictionary, flite, festival's radio set, pocketsphinx), `espeak` (the
mnemonics of espeak-ng's phoneme events, most European languages) and `ipa`.
Diphthongs become two canonical phones. A symbol outside the tables is an error in known phones
sent by a client, and is reported, never guessed.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.visemes import UNKNOWN


@dataclass(frozen=True, slots=True)
class TimedPhone:
    """One phone of a known pronunciation.

    Attributes:
        start_secs, end_secs: from the start of the utterance, end > start.
        symbol: canonical name (visemes.SHAPES or UNKNOWN), or a symbol of an alphabet before
            `canonical_phones`.
    """

    start_secs: float
    end_secs: float
    symbol: str


_DIPHTHONG_SPLIT: Final = 0.55
"""Share of a diphthong spent in its first vowel (Gay 1968: onset steady state and glide take a
little more than half)."""


def _table(rows: str) -> dict[str, tuple[str, ...]]:
    """Parse lines of `SYMBOL SYMBOL ... = CANONICAL ...`."""
    table: dict[str, tuple[str, ...]] = {}
    for row in rows.strip().splitlines():
        symbols, _, phones = row.rpartition(" = ")
        for symbol in symbols.split():
            table[symbol] = tuple(phones.split())
    return table


_ARPABET: Final = _table(
    """
SIL PAU H# BRTH SP SPN EPI Q = SIL
P PCL PD = P
B BCL BD = B
M EM = M
F = F
V = V
TH = TH
DH = DH
T TCL TD = T
D DCL DD = D
DX NX = DX
K KCL KD = K
G GCL GD = G
NG ENG = NG
HH HV H = HH
CH JH = CH
SH ZH = SH
S = S
Z = Z
N EN = N
L EL = L
R = R
ER AXR = ER
AA = AA
AE = AE
AH = AH
AX AX-H = AX
AY = AA IH
AW = AA UH
AO = AO
OY = AO IH
EH = EH
EY = EH IH
IH IX = IH
IY = IY
OW = OO UH
UH = UH
UW UX = UW
W WH = W
Y = Y
UNK = UNK
"""
)

_ESPEAK: Final = _table(
    """
_ _: _:: _! _| || = SIL
p p; ph pF pf = P
b b; B B2 bh = B
m m; m# m- = M
f f; = F
v v; v# = V
T = TH
D Q = DH
t t; t# t[ t2 t. th t: = T
d d; d# d[ d. dh = D
** = DX
k k; k# kh q = K
g g; gh G = G
? ! = SIL
N N; = NG
x X x; = X
h h# H = HH
tS dZ ts; dz; tS; t;  d; J^ tS. = CH
S Z S; Z; s. s; sx z. = SH
C = CX
s s# s2 ss z2 = S
z z# z; = Z
ts dz = TS
n n- n; n^ n. n[ J = N
l l; l# l- l^ L = L
l/2 = L
r r- = R
R R2 r; r2 * *; ** R: = RX
3 3: VR UR IR VU = ER
@L = AX L
A A: A@ A~ aa A# A: A:: aa: = AA
a# @2 V V2 & &~ = AH
a a: a:: a~ a- = AE
0 0# Q: O2 0: = AO
@ @- @5 @# @; @3 = AX
E E2 E- E: E# e@ E~ e@2 = EH
e e: e:: e# e~ EE = EE
I I2 I# I: i2 I; i# ɪ = IH
i i: i:: i- i~ = IY
i@ i@3 = IY AX
; j ;j = Y
O O: O:: O@ o@ O~ o@2 = AO
o o: o:: o~ o# 8o = OO
8 Y Y: W W2 W: Y2 Y# @Y 8: = OE
u u: u:: u~ u# = UW
U U: U# u- = UH
U@ = UH AX
y y: y:: y~ yu y# y- = UE
w w# w2 w; = W
aI aI2 ai aI# = AA IH
aI@ aI3 = AA IH
aU au aU2 = AA UH
aU@ = AA UH
OI OY oi = AO IH
eI EI e2I ei = EH IH
eU EU eu = EH UH
oU ou @U oU# = OO UH
ie = IY EH
uo = UW OO
yi Wy = UE IH
ey 2y = EE UE
ui = UW IH
oI oi = OO IH
Yy = OE UE
&U~ = AH UH
@I = AX IH
iu iU = IY UH
uI = UW IH
"""
)

_IPA: Final = _table(
    """
sil pau sp _ | ʔ = SIL
p = P
b β ɓ = B
m = M
f ɸ pf = F
v ʋ = V
ɱ = M
θ = TH
ð = DH
t ʈ = T
d ɖ ɗ = D
ɾ = DX
k q c = K
g ɡ ɢ ɟ ɣ = G
ŋ ɴ = NG
x χ ħ = X
h ɦ = HH
tʃ dʒ ʧ ʤ tɕ dʑ ʨ ʥ = CH
ʃ ʒ ɕ ʑ ʂ ʐ = SH
ç ʝ = CX
s = S
z = Z
ts dz ʦ ʣ = TS
n ɲ ɳ = N
l ɫ ɭ ʎ ʟ = L
ɹ ɻ = R
r ʁ ʀ ɽ = RX
ɜ ɝ ɚ = ER
ɑ ɒ̈ = AA
ɒ = AO
a æ = AE
ɐ ʌ = AH
ə ɘ ɵ = AX
ɛ = EH
e = EE
ɪ ɨ = IH
i = IY
j ɥ = Y
ɔ = AO
o ɤ = OO
ø œ = OE
ʊ = UH
u ɯ ʉ = UW
y ʏ = UE
w ʍ ɰ = W
aɪ ai = AA IH
aʊ au = AA UH
ɔɪ ɔʏ ɔi = AO IH
eɪ ei ɛɪ = EH IH
oʊ əʊ ou = OO UH
ɪə iə = IY AX
eə ɛə = EH AX
ʊə uə = UH AX
"""
)

_ALPHABETS: Final = {"arpabet": _ARPABET, "espeak": _ESPEAK, "ipa": _IPA}
ALPHABETS: Final = tuple(_ALPHABETS)

_IPA_MARKS: Final = str.maketrans("", "", "ːˑˈˌʰʲʷˠˤ‿͜͡.'ˀ̩̯̃̚")
"""Length, stress, secondary articulation, ties and syllable marks: they do not change the lips
enough to matter here."""


def _lookup(symbol: str, alphabet: str) -> tuple[str, ...] | None:
    table = _ALPHABETS[alphabet]
    if alphabet == "arpabet":
        symbol = symbol.upper()
        if symbol[:1] in "<[+" and symbol[-1:] in ">]+":  # <sil>, [NOISE], +SPN+
            return ("SIL",)
        return table.get(symbol.rstrip("0123456789"))
    if alphabet == "ipa":
        decomposed = unicodedata.normalize("NFD", symbol)
        folded = unicodedata.normalize("NFC", decomposed.translate(_IPA_MARKS))
        found = table.get(unicodedata.normalize("NFC", symbol))
        return found or table.get(folded)
    found = table.get(symbol)
    if found is None and len(symbol) > 1:  # stress and length marks after a known mnemonic
        found = table.get(symbol.rstrip(":;,'%=~"))
    return found


def split_symbol(symbol: str, alphabet: str) -> tuple[str, ...]:
    """Map one symbol to one or two canonical phones.

    Args:
        symbol: for example `AY1` (arpabet), `aI` (espeak), `aɪ` (ipa).
        alphabet: one of ALPHABETS.

    Raises:
        AvatarError: INVALID_FIELD for an unknown alphabet or symbol.
    """
    if alphabet not in _ALPHABETS:
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"phone alphabet {alphabet!r} is unknown; allowed: {', '.join(ALPHABETS)}",
            field="alphabet",
        )
    phones = _lookup(symbol, alphabet) if symbol else None
    if phones is None:
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"phone symbol {symbol!r} is not in the {alphabet} alphabet",
            field="phones",
        )
    return phones


def canonical_phones(phones: Iterable[TimedPhone], alphabet: str) -> list[TimedPhone]:
    """Map timed symbols to timed canonical phones, in order of time.

    Args:
        phones: not overlapping, in order; gaps are allowed and mean silence.
        alphabet: one of ALPHABETS.

    Raises:
        AvatarError: INVALID_FIELD where a time is not finite, a phone ends before it starts or
            starts before its predecessor ends (by more than 1 ms), or a symbol is unknown.
    """
    timeline: list[TimedPhone] = []
    cursor = -math.inf
    for phone in phones:
        start, end = phone.start_secs, phone.end_secs
        if not (math.isfinite(start) and math.isfinite(end)) or end < start:
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"phone {phone.symbol!r} has times {start}..{end} s; a finite start before a "
                "finite end is needed",
                field="phones",
            )
        if start < cursor - 1e-3:
            raise AvatarError(
                Reason.INVALID_FIELD,
                f"phone {phone.symbol!r} starts at {start:.3f} s, before its predecessor ends "
                f"at {cursor:.3f} s",
                field="phones",
            )
        cursor = end
        if end == start:
            continue
        names = split_symbol(phone.symbol, alphabet)
        if len(names) == 1:
            timeline.append(TimedPhone(start, end, names[0]))
        else:
            middle = start + _DIPHTHONG_SPLIT * (end - start)
            timeline.append(TimedPhone(start, middle, names[0]))
            timeline.append(TimedPhone(middle, end, names[1]))
    return timeline


def is_unknown(phone: TimedPhone) -> bool:
    """Whether the phone is a stretch that the aligner could not label."""
    return phone.symbol == UNKNOWN
