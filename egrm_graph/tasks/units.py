r"""The units that may be left out after a number, each with one name for its many spellings.

Decides what a known unit is: measures, currencies, and nouns that are counted, all from the tables below. Nothing else
is: `5 squared`, `2 hundred`, `3 minus x`, and `5 more` are not 5. The tables are closed on purpose. English has no rule
that separates `5 apples` from `5 fails` or `3 fives`, so an unlisted noun counts as different from the bare number,
which costs a vote and never gives a wrong one.

Units combine: `m/s`, `meters per second`, and `m s^{-1}` are one unit, and so are `ft^2` and `square feet`. Nothing is
converted: 1 m is not 100 cm.
"""

from __future__ import annotations

import re
from functools import lru_cache

PERCENT = "percent"

# Symbols, in which case counts: mW is not MW.
_SYMBOLS = {
    **{name: name for name in "nm mm cm dm m km ng mg g kg ml dl l ns ms s min h mi yd ft in lb oz gal".split()},
    **{name: name for name in "Hz kHz MHz GHz N kN J kJ MJ W mW kW MW GW V mV kV mA Pa hPa kPa MPa GPa".split()},
    **{name: name for name in "eV keV MeV GeV mol mmol cal kcal dB rad KB MB GB TB kb Mb Gb atm".split()},
    **{"L": "l", "mL": "ml", "dL": "dl", "hr": "h", "hrs": "h", "sec": "s", "secs": "s", "mins": "min", "lbs": "lb"},
    **{"Wh": "W h", "kWh": "h kW", "MWh": "MW h", "Nm": "N m", "kB": "KB", "Kg": "kg", "KG": "kg", "Km": "km", "KM": "km"},
    **{ "cc": "cm^3", "rpm": "rpm", "bps": "bps", "Ω": "ohm", "µm": "μm", "μm": "μm"},
    **{"$": "dollar", "€": "euro", "£": "pound sterling", "¥": "yen", "₹": "rupee"},
    **{"%": PERCENT, "hz": "Hz", "CM": "cm", "MPH": "h^-1 mi", "kmh": "h^-1 km", "kph": "h^-1 km", "mph": "h^-1 mi", "fps": "ft s^-1"},
}
_NAMES = {
    **{"nanometer": "nm", "micrometer": "μm", "millimeter": "mm", "centimeter": "cm", "meter": "m", "kilometer": "km"},
    **{"nanometre": "nm", "millimetre": "mm", "centimetre": "cm", "metre": "m", "kilometre": "km", "mile": "mi"},
    **{"inch": "in", "foot": "ft", "yard": "yd", "milligram": "mg", "gram": "g", "kilogram": "kg", "kilo": "kg"},
    **{"pound": "pound", "ounce": "oz", "milliliter": "ml", "liter": "l", "millilitre": "ml", "litre": "l"},
    **{"gallon": "gal", "millisecond": "ms", "second": "s", "minute": "min", "hour": "h", "day": "day"},
    **{"hertz": "Hz", "kilohertz": "kHz", "megahertz": "MHz", "gigahertz": "GHz", "newton": "N", "joule": "J"},
    **{"kilojoule": "kJ", "watt": "W", "kilowatt": "kW", "megawatt": "MW", "volt": "V", "millivolt": "mV"},
    **{"ampere": "ampere", "amp": "ampere", "pascal": "Pa", "kilopascal": "kPa", "kelvin": "kelvin", "mole": "mol", "calorie": "cal"},
    **{"kilocalorie": "kcal", "radian": "rad", "decibel": "dB", "kilobyte": "KB", "megabyte": "MB", "gigabyte": "GB"},
    **{"terabyte": "TB", "electronvolt": "eV", "atmosphere": "atm", "light-year": "light-year", "light year": "light-year", "us dollar": "dollar", "us$": "dollar"},
    **{"usd": "dollar", "eur": "euro", "gbp": "pound sterling", "jpy": "yen", "inr": "rupee", "cny": "yuan"},
    **{"pound sterling": "pound sterling", "rs": "rupee", "per cent": PERCENT, "percent": PERCENT, "pct": PERCENT},
    **{"degree celsius": "°C", "degree c": "°C", "celsius": "°C", "degree fahrenheit": "°F", "degree f": "°F"},
    **{"fahrenheit": "°F", "unit": "unit", "percentage point": "percentage point"},
    **{name: name for name in "bit byte dollar cent euro rupee yen yuan peso franc ruble degree ohm tesla".split()},
    **{name: name for name in "week month year decade century fortnight acre hectare ton tonne cup teaspoon".split()},
    **{name: name for name in "tablespoon pint quart knot bar tsp tbsp".split()},
}
_COUNTED = frozenset(
    """
    adult animal answer apple apartment apricot arrangement bag bagel ball balloon banana basket bead bean bear bee bike
    bird biscuit block boat book bottle bouquet bowl box boy bracelet branch brick brother brownie bus bushel button cake
    calf camel can candle candy car card carrot carton case cat chair cherry chicken child chocolate choice circle city
    class coin color combination cookie country cow cracker crate crayon  cupcake customer daisy deer desk diamond dog
    doll donkey donut dress duck edge egg element elephant employee envelope eraser face  fish flower  fork frog
    fruit function game girl glass goat goal grape guest hat hen hexagon horse house integer item jar jellybean job kid
    kitten ladybug lamp leaf lemon lesson letter lion lollipop man marble meal member mango mango method mouse movie muffin
    mushroom nail necklace notebook nurse onion orange outcome outfit owl page paper parrot passenger path peach peanut pear
    pen pencil penguin pentagon people permutation person photo picture pie piece pig pizza plane planet plant plate player
    point polygon possibility potato present  prize pumpkin puppy rabbit rat rectangle ribbon ring rock room rope rose
    row salad sandwich scarf school seashell seat seed sheep shelf shirt shoe sister slice snake sock solution soldier song
    spoon  stamp star step sticker strawberry student subset sweater symbol table teacher team term ticket tile
    tomato toy train tree triangle truck tulip turtle umbrella vertex video visitor vote walnut watermelon way wheel window
    woman word worker zebra
    """.split()
)
_IRREGULAR = {
    **{"feet": "foot", "inches": "inch", "men": "man", "women": "woman", "children": "child", "mice": "mouse"},
    **{"leaves": "leaf", "shelves": "shelf", "calves": "calf", "people": "person", "vertices": "vertex"},
    **{"centuries": "century", "hertz": "hertz", "gross": "gross", "scarves": "scarf", "pounds sterling": "pound sterling"},
}
_POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3, "squared": 2, "cubed": 3}
_MAX_FACTORS = 4

_SPACED_SYMBOLS = frozenset("mgshlLNJWV")  # 5 m is five meters, but 5m may be a product
_FACTOR = re.compile(r"([^\s*/^]+)(?:\^\{?(-?[1-3])\}?)?")
_PER = re.compile(r"\s*/\s*|(?:\s|^)per\s+")


@lru_cache(maxsize=4096)
def known_unit(text: str) -> str | None:
    """The one name of the unit that a number's tail spells; None where it is anything else.

    The tail starts right behind the number, so that its first space counts.
    """
    words = text.strip().replace("degrees", "degree")
    if not words or (words in _SPACED_SYMBOLS and text[0] != " "):
        return None
    if (whole := _single(words)) is not None:
        return whole
    over, *under = _PER.split(words)
    factors: dict[str, int] = {}
    for part, sign in ((over, 1), *((part, -1) for part in under)):
        found = _factors(part) if part or sign > 0 else None
        if found is None or (sign < 0 and not found):
            return None  # not a unit, or nothing behind the slash
        for name, power in found:
            factors[name] = factors.get(name, 0) + sign * power
    if not factors:
        return None
    return " ".join(name if power == 1 else f"{name}^{power}" for name, power in sorted(factors.items()) if power)


def _factors(text: str) -> list[tuple[str, int]] | None:
    """The factors of a unit without a fraction, each with its power."""
    words = text.replace("-", " ").replace("*", " ") if "^" not in text else text.replace("*", " ")
    pieces = words.replace("sq.", "sq").replace("cu.", "cu").split()
    found: list[tuple[str, int]] = []
    pending = 1
    for piece in pieces:
        if piece in ("squared", "cubed"):
            if not found or found[-1][1] != 1:
                return None
            found[-1] = (found[-1][0], _POWERS[piece])
        elif piece in _POWERS:
            pending = _POWERS[piece]
        else:
            match = _FACTOR.fullmatch(piece)
            name = _single(match[1]) if match else None
            power = int(match[2] or 1) if match else 1
            if name is None or (pending != 1 and power != 1) or (name in _COUNTED and (power * pending != 1 or found)):
                return None
            found.append((name, power * pending))
            pending = 1
    return found if pending == 1 and len(found) <= _MAX_FACTORS and (len(found) < 2 or _measures(found)) else None


def _measures(found: list[tuple[str, int]]) -> bool:
    return not any(name in _COUNTED for name, _ in found)


def _single(word: str) -> str | None:
    """The name of a unit of one word, or of a fixed phrase."""
    if (symbol := _SYMBOLS.get(word)) is not None:
        return symbol
    lower = word.lower().rstrip(".") if len(word) > 1 else word
    for form in (lower, *_singulars(lower)):
        if form in _NAMES:
            return _NAMES[form]
        if form in _COUNTED:
            return form
    return _SYMBOLS.get(word.rstrip("."))


def _singulars(word: str) -> tuple[str, ...]:
    if word in _IRREGULAR:
        return (_IRREGULAR[word],)
    if word.endswith("ies"):
        return (f"{word[:-3]}y", word[:-1])
    if word.endswith("es"):
        return (word[:-1], word[:-2])
    return (word[:-1],) if word.endswith("s") and len(word) > 3 and not word.endswith("ss") else ()


def meanings(unit: str) -> tuple[str, ...]:
    """What a unit may stand for: a pound is a weight or money."""
    return ("lb", "pound sterling") if unit == "pound" else (unit,)
