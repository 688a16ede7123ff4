"""Lines for the synthesisers to say: dialogue, dense phonetic lines, word salads of languages.

Templates with slots give endless variety; lips-heavy words are over-represented on purpose,
because closures of p, b, m and contacts of f, v are what a viewer sees first.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Final


def _words(text: str) -> list[str]:
    return text.split()


_NAMES = _words(
    "Bob Emma Pam Tom Maeve Victor Fiona Abby Philip Ruby Marcus Joyce Beth Hugh Zoe Chen"
)
_PLACES = _words(
    "bridge market temple harbour mountain river village library workshop palace farm beach "
    "forest tower tavern cave kitchen garden platform museum"
)
_THINGS = _words(
    "map book lamp apple sword key letter bottle ship bomb drum cup boat potion jewel feather "
    "camera phone jumper box violin watch fishing-rod shovel mirror shield"
)
_VERBS = _words(
    "bring find open move carry push keep buy sell hide fix wash leave give save show throw "
    "borrow break chop measure prepare remember"
)
_ADJECTIVES = _words(
    "big small beautiful broken heavy purple warm funny empty brave fluffy ancient simple "
    "huge famous smooth rough awful yellow curious thin thick"
)
_TEMPLATES: Final = (
    "Hi {name}, how are you doing today?",
    "Oh, I absolutely love that {thing}!",
    "Could you {verb} the {thing} for me, please?",
    "Maybe we should {verb} the {adjective} {thing} before we go to the {place}.",
    "Wait. What was that? Did somebody {verb} my {thing}?",
    "No problem, I'm happy to help you {verb} it.",
    "{name} and {name2} went to the {place} to {verb} a {adjective} {thing}.",
    "You know what? Let's go outside and {verb} the {thing} now.",
    "I never thought that {name} would {verb} both of them.",
    "Yes. No. Okay. Sure, why not?",
    "Well, um, I mean, perhaps the {adjective} one is better.",
    "Behind the {place} you will find a {adjective} {thing} and {number} {thing2}s.",
    "Good evening, everybody, and welcome back to the {place}.",
    "Stop! Put the {thing} down, or I will {verb} it myself.",
    "My {adjective} {thing} is at the {place}, I believe.",
    "It costs {number} pounds and {number2} pence, thank you very much.",
    "Hmm, the {thing} that you want is {adjective}, but mine is more {adjective2}.",
    "Follow me to the {place}, {name}, and bring the {adjective} {thing}.",
    "We must {verb} every {thing} from the {place} by five o'clock.",
    "Why would they {verb} such a {adjective} {thing}?",
)
_NUMBERS = _words("one two three four five six seven eight nine ten twelve fifteen twenty fifty")
_DENSE: Final = (
    "Bob popped up from below and mumbled about a map.",
    "Papa made my mama a pumpkin pie.",
    "Five fluffy white wolves live by the river.",
    "She sells sea shells, and she surely sees the shore.",
    "Which witch wished which wicked wish?",
    "The boy's toy made noise, annoying Roy.",
    "Thirty three thieves thought they thrilled the throne.",
    "The judge changed the charge, gently.",
    "Peter Piper picked a peck of pickled peppers.",
    "Big black bugs bleed blue black blood.",
    "Many more men may move from Maine in May.",
    "Vivid velvet vests have very visible value.",
    "Fresh fish for five families, if Fred finds a fork.",
    "How now, brown cow? Go home, old Joan.",
    "Amber remembers November, number by number.",
    "The empty lamp jumped, and the stamp bumped the ramp.",
    "A proper copper coffee pot.",
    "Do new moons soothe Sue, too?",
    "Mum hums a lamb's humble hymn.",
    "Nine nice nuns never knew no news.",
    "Ten tiny tots took tea and toast at twelve.",
    "Can Kate keep cool cakes? Good dogs dig, get going.",
    "No man can mimic a mime in the moonlight.",
    "Ape, ebb, imp, up, ohm, and hip; map, nab, gum, sob, rib, lamb.",
    "Lip, rip, nip, dip, tip, pip; lit, kit, nit, pit; lick, pick, tick.",
)
_SYLLABLE_ONSETS = _words("p b m f v w t d n s z k g l r sh ch th j h")
_SYLLABLE_RHYMES = _words(
    "ah ee oo oh ay eye ow oy at et it ot ut ap ep ip op up am em im om um ab eb ib ob ub an en "
    "in on un ack eck ick ock uck af ef if off uff ave eve ive ash esh ish"
)

LANGUAGE_LINES: Final[dict[str, tuple[str, ...]]] = {
    "de": (
        "Guten Morgen, meine Damen und Herren, wie geht es Ihnen heute?",
        "Können Sie mir bitte das Buch vom Tisch bringen?",
        "Peter pflückt im Februar keine Pflaumen, aber vielleicht im Oktober.",
        "Wir müssen morgen früh um fünf Uhr aufbrechen.",
        "Der böse Wolf wohnt im tiefen Wald bei den Bäumen.",
    ),
    "fr": (
        "Bonjour madame, comment allez-vous ce matin?",
        "Je voudrais un peu de pain et du beurre, s'il vous plaît.",
        "Ma voiture bleue est en panne devant la boulangerie.",
        "Il faut que nous partions avant la nuit, mon ami.",
        "Papa a promis de venir voir le bateau.",
    ),
    "es": (
        "Buenos días, ¿cómo está usted hoy?",
        "Me gustaría comprar un poco de pan y mantequilla.",
        "El perro blanco bebe agua en la plaza del pueblo.",
        "Mañana por la mañana vamos a la playa con mi familia.",
        "¿Puedes abrir la puerta, por favor?",
    ),
    "it": (
        "Buongiorno a tutti, come va la vita?",
        "Vorrei un bicchiere di vino bianco, per favore.",
        "Mia mamma prepara la pasta con il pomodoro e il basilico.",
        "Dobbiamo partire prima che faccia buio, amico mio.",
    ),
    "pt": (
        "Bom dia, como você está hoje?",
        "Eu gostaria de comprar pão e um pouco de manteiga.",
        "Minha família mora perto da praia, numa casa amarela.",
        "Por favor, abra a porta e venha comigo.",
    ),
    "nl": (
        "Goedemorgen allemaal, hoe gaat het met jullie?",
        "Mag ik een beetje brood met boter, alstublieft?",
        "Mijn vader woont in een groot wit huis bij het water.",
    ),
    "sv": (
        "God morgon, hur mår du i dag?",
        "Kan du vara snäll och hämta boken på bordet?",
        "Min mamma bor i ett vitt hus vid vattnet.",
    ),
    "pl": (
        "Dzień dobry państwu, jak się pan dzisiaj miewa?",
        "Proszę mi podać książkę, która leży na stole.",
        "Moja mama mieszka w białym domu nad wodą.",
    ),
    "fi": (
        "Hyvää huomenta, mitä sinulle kuuluu tänään?",
        "Voisitko tuoda kirjan pöydältä, ole hyvä?",
        "Minun perheeni asuu valkoisessa talossa veden äärellä.",
    ),
}
"""A few lines of each language; their words are shuffled into ever new orders."""

_MAX_WORDS: Final = 20


def _dialogue(random_source: random.Random) -> str:
    pick = random_source.choice
    return pick(_TEMPLATES).format(
        name=pick(_NAMES),
        name2=pick(_NAMES),
        place=pick(_PLACES),
        thing=pick(_THINGS),
        thing2=pick(_THINGS),
        verb=pick(_VERBS),
        adjective=pick(_ADJECTIVES),
        adjective2=pick(_ADJECTIVES),
        number=pick(_NUMBERS),
        number2=pick(_NUMBERS),
    )


def _syllables(random_source: random.Random) -> str:
    pick = random_source.choice
    words = [
        "".join(pick(_SYLLABLE_ONSETS) + pick(_SYLLABLE_RHYMES) for _ in range(pick((1, 1, 2))))
        for _ in range(random_source.randint(5, 11))
    ]
    return " ".join(words) + "."


def _word_list(random_source: random.Random) -> str:
    pool = _PLACES + _THINGS + _VERBS + _ADJECTIVES + _NAMES + _NUMBERS
    words = random_source.sample(pool, random_source.randint(4, 10))
    return (", " if random_source.random() < 0.4 else " ").join(words) + "."


def _shorten(line: str, random_source: random.Random) -> str:
    line = re.sub(r"[^A-Za-z0-9,.?!' -]", " ", line)
    words = line.split()
    if len(words) > _MAX_WORDS:
        first = random_source.randint(0, len(words) - _MAX_WORDS)
        words = words[first : first + _MAX_WORDS]
    return " ".join(words)


def english_line(random_source: random.Random, sentences: Sequence[str] = ()) -> str:
    """Draw one English line; with `sentences` given, six in ten come from there."""
    kind = random_source.random()
    if sentences and kind < 0.6:
        return _shorten(random_source.choice(sentences), random_source)
    kind = random_source.random()
    if kind < 0.45:
        return _dialogue(random_source)
    if kind < 0.6:
        return random_source.choice(_DENSE)
    if kind < 0.8:
        words = " ".join(random_source.sample(_DENSE, 2)).split()
        random_source.shuffle(words)
        return _shorten(" ".join(words), random_source)
    return _word_list(random_source) if kind < 0.9 else _syllables(random_source)


def language_line(language: str, random_source: random.Random) -> str:
    """Draw one line in another language: its words in a new order, or a line as it stands."""
    lines = LANGUAGE_LINES[language]
    if random_source.random() < 0.3:
        return random_source.choice(lines)
    words = " ".join(random_source.sample(lines, min(2, len(lines)))).split()
    random_source.shuffle(words)
    return " ".join(words[:14]) + "."


def read_sentences(path: str) -> list[str]:
    """Read a text file of one sentence per line; `ID|sentence` lines lose their id."""
    with open(path, encoding="utf-8") as file:
        lines = [line.strip().rpartition("|")[2] for line in file]
    return [line for line in lines if line]
