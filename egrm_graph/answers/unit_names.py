"""Tables of the units that an answer may omit after a number: measures, currencies, and counted nouns.

In the first two tables, an entry is a unit and its spellings, or only the unit if it has no other spelling. Units are
written as in `units`: the factors in order, with their powers. The tables omit words that could be a scale, an
operator, or a verb (`pair`, `score`, `square`, `won`), and symbols that could be a variable or a
thousand (`K`, `M`, `d`).
"""

from __future__ import annotations

_SYMBOL_TABLE = """
nm; mm; cm: cm, CM; dm; m; km: km, Km, KM; ng; mg; g; kg: kg, Kg, KG; ml: ml, mL; dl: dl, dL; l: l, L; ns; ms; s: s,
sec, secs; min: min, mins; h: h, hr, hrs; mi; yd; ft; in; lb: lb, lbs; oz; gal; Hz: Hz, hz; kHz; MHz; GHz; N; kN; J;
kJ; MJ; W; mW; kW; MW; GW; V; mV; kV; mA; Pa; hPa; kPa; MPa; GPa; eV; keV; MeV; GeV; mol; mmol; cal; kcal; dB; rad;
KB: KB, kB; MB; GB; TB; kb; Mb; Gb; atm; W h: Wh; h kW: kWh; MW h: MWh; N m: Nm; cm^3: cc; rpm; bps; ohm: Ω; μm: µm,
μm; dollar: $; euro: €; pound sterling: £; yen: ¥; rupee: ₹; percent: %; h^-1 mi: MPH, mph; h^-1 km: kmh, kph; ft
s^-1: fps
"""  # case matters: mW is not MW

_NAME_TABLE = """
nm: nanometer, nanometre; μm: micrometer; mm: millimeter, millimetre; cm: centimeter, centimetre; m: meter, metre;
km: kilometer, kilometre; mi: mile; in: inch; ft: foot; yd: yard; mg: milligram; g: gram; kg: kilogram, kilo; pound;
oz: ounce; ml: milliliter, millilitre; l: liter, litre; gal: gallon; ms: millisecond; s: second; min: minute; h:
hour; day; Hz: hertz; kHz: kilohertz; MHz: megahertz; GHz: gigahertz; N: newton; J: joule; kJ: kilojoule; W: watt;
kW: kilowatt; MW: megawatt; V: volt; mV: millivolt; ampere: ampere, amp; Pa: pascal; kPa: kilopascal; kelvin; mol:
mole; cal: calorie; kcal: kilocalorie; rad: radian; dB: decibel; KB: kilobyte; MB: megabyte; GB: gigabyte; TB:
terabyte; eV: electronvolt; atm: atmosphere; light-year: light-year, light year; dollar: us dollar, us$, usd,
dollar; euro: eur, euro; pound sterling: gbp, pound sterling; yen: jpy, yen; rupee: inr, rs, rupee; yuan: cny, yuan;
percent: per cent, percent, pct; °C: degree celsius, degree c, celsius; °F: degree fahrenheit, degree f, fahrenheit;
unit; percentage point; bit; byte; cent; peso; franc; ruble; degree; ohm; tesla; week; month; year; decade; century;
fortnight; acre; hectare; ton; tonne; cup; teaspoon; tablespoon; pint; quart; knot; bar; tsp; tbsp
"""

_COUNTED_NOUNS = """
adult animal answer apartment apple apricot arrangement bag bagel ball balloon banana basket bead bean bear bee bike
bird biscuit block boat book bottle bouquet bowl box boy bracelet branch brick brother brownie bus bushel button cake
calf camel can candle candy car card carrot carton case cat chair cherry chicken child chocolate choice circle city
class coin color combination cookie country cow cracker crate crayon cupcake customer daisy deer desk diamond dog doll
donkey donut dress duck edge egg element elephant employee envelope eraser face fish flower fork frog fruit function
game girl glass goal goat grape guest hat hen hexagon horse house integer item jar jellybean job kid kitten ladybug
lamp leaf lemon lesson letter lion lollipop man mango marble meal member method mouse movie muffin mushroom nail
necklace notebook nurse onion orange outcome outfit owl page paper parrot passenger path peach peanut pear pen pencil
penguin pentagon people permutation person photo picture pie piece pig pizza plane planet plant plate player point
polygon possibility potato present prize pumpkin puppy rabbit rat rectangle ribbon ring rock room rope rose row salad
sandwich scarf school seashell seat seed sheep shelf shirt shoe sister slice snake sock soldier solution song spoon
stamp star step sticker strawberry student subset sweater symbol table teacher team term ticket tile tomato toy train
tree triangle truck tulip turtle umbrella vertex video visitor vote walnut watermelon way wheel window woman word
worker zebra
"""

_PLURAL_TABLE = """
foot: feet; inch: inches; man: men; woman: women; child: children; mouse: mice; leaf: leaves; shelf: shelves; calf:
calves; person: people; vertex: vertices; century: centuries; scarf: scarves; pound sterling: pounds sterling
"""


def _spellings(table: str) -> dict[str, str]:
    """Return a mapping from each spelling to its unit."""
    units: dict[str, str] = {}
    for entry in " ".join(table.split()).split("; "):
        unit, _, spellings = entry.partition(": ")
        units |= dict.fromkeys(spellings.split(", ") if spellings else [unit], unit)
    return units


SYMBOLS = _spellings(_SYMBOL_TABLE)
NAMES = _spellings(_NAME_TABLE)
COUNTED = frozenset(_COUNTED_NOUNS.split())
IRREGULAR = _spellings(_PLURAL_TABLE)
PERCENT = "percent"
