# ruff: noqa: RUF001, RUF002 - letters of other alphabets look like Latin ones
"""Labels that models put before an answer, in many languages: `Final answer: 42`, `Antwort: 42`, `答案：42`.

A label starts a line. It has a word for *answer*, often with words such as *final* and *is* around it. It ends with a
colon, or with the line if the label is a heading. English and Chinese models also label an answer in the middle of a
line.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class _Language(NamedTuple):
    """The words of one language, or of several that share them, separated by commas."""

    answer: str
    before: str = ""
    after: str = ""
    verb: str = ""


_LANGUAGES = (
    _Language(  # German
        "Antwort,Endantwort,Schlussantwort",
        "die,meine,endgültige,finale,letzte,richtige,korrekte",
        "also",
        "ist,lautet,wäre",
    ),
    _Language("Respuesta", "la,mi", "final,correcta,definitiva", "es,sería"),  # Spanish
    _Language("Resposta", "a,la,minha", "final,correta,correcta,definitiva", "é,és"),  # Portuguese, Catalan
    _Language("Risposta", "la,mia", "finale,corretta,definitiva,dunque,quindi", "è"),  # Italian
    _Language("Réponse", "la,ma,notre", "finale,correcte,exacte,définitive,donc", "est"),  # French
    _Language("Răspuns,Răspunsul", "", "final,corect", "este,e"),  # Romanian
    _Language("Antwoord,Eindantwoord", "het,mijn,definitief,definitieve,uiteindelijke,juiste", "dus", "is"),  # Dutch
    _Language(
        "Svar,Svaret,Slutsvar", "slutligt,slutgiltigt,endeligt,endelig,rätt,korrekt,riktig", "", "är,er"
    ),  # Nordic
    _Language("Vastaus", "lopullinen,oikea", "", "on"),  # Finnish
    _Language("Válasz", "a,végső,helyes", ""),  # Hungarian
    _Language("Odpowiedź", "ostateczna,końcowa,poprawna,prawidłowa", "", "to,jest,brzmi"),  # Polish
    _Language("Odpověď,Odpoveď", "konečná,správná", "", "je"),  # Czech, Slovak
    _Language("Odgovor,Одговор,Отговор", "konačan,konačni,točan", "", "je,е"),  # South Slavic
    _Language("Ответ", "окончательный,итоговый,правильный,мой", ""),  # Russian
    _Language("Відповідь", "остаточна,правильна", ""),  # Ukrainian
    _Language("Απάντηση", "η,τελική,σωστή", "", "είναι"),  # Greek
    _Language("Cevap,Yanıt", "nihai,son,doğru", ""),  # Turkish
    _Language("Đáp án,Đáp số,Câu trả lời,Trả lời", "", "cuối cùng,đúng", "là"),  # Vietnamese
    _Language("Jawaban,Jawapan", "", "akhir,akhirnya,benar,yang benar", "adalah,ialah"),  # Indonesian, Malay
    _Language("Sagot,Jibu,Jawabu", "huling", "sahihi", "ni"),  # Filipino, Swahili
    _Language("الإجابة,الاجابة,إجابة,الجواب", "", "النهائية,النهائي,الصحيحة", "هي,هو"),  # Arabic
    _Language("پاسخ,جواب", "", "نهایی,صحیح"),  # Persian, Urdu
    _Language("תשובה,התשובה", "", "סופית,הסופית,הנכונה", "היא"),  # Hebrew
    _Language("उत्तर,जवाब", "अंतिम,सही", "", "है"),  # Hindi
    _Language("উত্তর", "চূড়ান্ত,সঠিক", ""),  # Bengali
    _Language("பதில்,సమాధానం,คำตอบ", "", "สุดท้าย,ที่ถูกต้อง", "คือ"),  # Tamil, Telugu, Thai
    _Language("答案,答", "最终,最終,最后,最後,正确,正確,标准,標準,参考", "", "是,为,為"),  # Chinese
    _Language("答え,回答,解答", "最終,最終的な,正しい", "", "は"),  # Japanese
    _Language("정답,답,답변", "최종", "", "은,는"),  # Korean
)


def _alternatives(*lists: str) -> str:
    """Join the words of all lists into alternatives of a regular expression."""
    words = {word for words in lists for word in words.split(",") if word}
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


_COLON = "[:：∶]"
_MARKUP = r"[*_#>`\-\t ]"
_SPACE = r"[*_` \u00a0\u202f]"  # French puts a narrow space before a colon
_ANSWER = _alternatives(*(language.answer for language in _LANGUAGES))
_AFTER = _alternatives(*(language.after for language in _LANGUAGES))
_VERB = _alternatives(*(language.verb for language in _LANGUAGES))
_BEFORE = _alternatives(*(language.before for language in _LANGUAGES))
_NAME = rf"(?:(?:{_BEFORE}) ?){{0,3}}(?:{_ANSWER})(?: (?:{_AFTER})(?!\w)){{0,2}}"

_ENGLISH = (
    rf"^{_MARKUP}{{0,8}}(?:(?:the|my|so|thus|therefore),? ){{0,2}}(?:(?:final|correct|short) )?answer"
    rf"(?: is)?[*_` ]{{0,4}}(?:{_COLON}|(?=\n))[*_` ]{{0,4}}"
    rf"|\b(?-i:(?:Final )?(?:Answer|ANSWER))[*_]{{0,3}}{_COLON}[*_` ]{{0,4}}"
)
_FOREIGN = (
    rf"^{_MARKUP}{{0,8}}{_NAME}(?: ?(?:{_VERB})(?!\w))?(?: (?:{_AFTER}))?"
    rf"{_SPACE}{{0,4}}(?:{_COLON}|(?=\n)){_SPACE}{{0,4}}"
)
_CHINESE = rf"(?<![误誤错錯])答案(?:是|为|為)?{_SPACE}{{0,2}}{_COLON}{_SPACE}{{0,4}}"

LABEL = re.compile(f"{_ENGLISH}|{_FOREIGN}|{_CHINESE}", re.IGNORECASE | re.MULTILINE)
"""Match from the start of a label to the start of the answer, or to the end of the line if the label is a heading."""
STATED = (
    rf"(?<!\w){_NAME} (?:{_VERB}) (?:(?:{_AFTER}) )?"
    r"|(?<![误誤错錯])(?:答案|答え|정답|답) ?(?:是|为|為|は|은) ?"  # these languages put no space between words
)
"""Match `The answer is` in other languages; alternatives for a regular expression."""
ANSWER = f"answer|{_ANSWER}"
"""Match a word for *answer*; alternatives for a regular expression."""
