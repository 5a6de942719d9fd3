"""Names of people, as far as the words around them give them away.

Without a language model nobody can tell a private person's name from a public one's, so a name counts only where
its surroundings make it a private one: "my name is ...", "patient ...", "call ... on", a title, a signature.
"""

import re
from collections.abc import Iterator

# A word starts where no letter stands before it and has an end: without both, a megabyte of capitals takes hours.
_WORD = r"(?<!\w)[A-ZÀ-ÖØ-Þ](?:[^\W\d_]|['’\-]){1,40}(?!\w)"
_PARTICLES = r"(?:(?:van|von|de|der|den|la|le|di|da|al|bin)\s{1,8}){0,3}"
_NEXT_WORD = rf"\s{{1,8}}{_PARTICLES}(?:[A-Z]\.\s{{0,8}})?{_WORD}"
_PERSON = rf"(?-i:{_WORD}(?:{_NEXT_WORD}){{0,3}})"
_FULL_NAME = rf"(?-i:{_WORD}{_NEXT_WORD})"

# Names in scripts without capitals: Chinese, Japanese, Korean, Hebrew, Arabic, Devanagari.
_UNCASED = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u05d0-\u05ea\u0620-\u064a\u0900-\u097f]{2,20}"

_INTRODUCTION = (
    r"(?:i(?:['’]m|\s+am)\s+called|ich\s+hei(?:ß|ss)e|mein\s+name\s+ist|je\s+m['’]appelle|mon\s+nom\s+est|me\s+llamo|"
    r"mi\s+nombre\s+es|mi\s+chiamo|ik\s+heet|o\s+meu\s+nome\s+é|jeg\s+heter|jag\s+heter|nazywam\s+się)"
)
_TITLE = r"(?:mr|mrs|ms|miss|mx|dr|prof|herr|frau|madame|monsieur|se[nñ]or|se[nñ]ora)"
_RELATION = (
    r"(?:client|customer|employee|applicant|candidate|tenant|claimant|defendant|colleague|neighbou?r|husband|wife|son|"
    r"daughter|mother|father|sister|brother|boyfriend|girlfriend|boss|manager|doctor|friend)"
)
_REACH = r"(?:call|contact|email|e-mail|text|phone|ring|reach|write\s+to|remind|invite|meet|ask)"
_HAPPENED = r"(?:diagnosed|hospitali[sz]ed|fired|arrested|pregnant|born\s+on|hired|prescribed|admitted)"
_BELONGING = r"(?:phone|number|address|e-?mail|salary|diagnosis|medical|birthday|account|passport|password)"

_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        rf"\bname(?:['’]s|\s+is|\s*:)\s+(?P<name>{_PERSON}|{_UNCASED})",
        # Whoever introduces themselves need not write capitals.
        r"\bmy\s+name(?:['’]s|\s+is)\s+(?P<name>[^\W\d_]{2,40})",
        rf"(?:\b{_INTRODUCTION}\s+|姓名\s*[:：]?\s*|我叫|私の名前は)(?P<name>{_PERSON}|{_UNCASED})",
        rf"\b(?:i\s+am|i['’]m)\s+(?P<name>{_FULL_NAME})",
        rf"\b{_TITLE}\b\.?\s+(?P<name>{_PERSON})",
        rf"\b(?:my|our|his|her|their|your|the)\s+{_RELATION}\s*(?:name\s*)?[,:]?\s+(?P<name>{_PERSON})",
        rf"\bpatient\s*(?:name\s*)?[,:]?\s+(?P<name>{_PERSON})",
        rf"\b{_REACH}\s+(?P<name>{_FULL_NAME})",
        rf"^[ \t]*(?:dear|hi|hello)[ \t]+(?P<name>{_PERSON})\s*[,!:]",
        rf"\b(?:sincerely|regards|cheers|best\s+wishes|yours|love)\s*,?\s*\n+\s*(?P<name>{_FULL_NAME})",
        rf"(?P<name>{_FULL_NAME})(?:['’]s)?\s+(?:was|is|has\s+been|were)\s+{_HAPPENED}",
        rf"(?P<name>{_FULL_NAME})['’]s\s+{_BELONGING}",
    )
)

# Capitalised words that follow those surroundings without being a name.
_NOT_NAMES = frozenset(
    "A An And Api Are At But By Can Could Customer Dear Do Does English Everyone For French From German Gpt Have "
    "He Hello Her His How I If In Is It Its Json Linux Madam May My No Not Of On Or Our Please Python Service She "
    "Should Sir Team That The Their There These They This To Us We What When Where Which Who Why Will With World "
    "Would Yes You Your".split()
)


def find_names(text: str) -> Iterator[tuple[int, int]]:
    """Yield the (start, end) of each name whose surroundings say that it is a private person's."""
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if match["name"].split()[0].strip("'’-").capitalize() not in _NOT_NAMES:
                yield match.span("name")


def has_full_name(text: str) -> bool:
    """Whether two or more capitalised words stand together, which next to other personal data are likely a name."""
    return any(
        not any(word.capitalize() in _NOT_NAMES for word in match[0].split()) for match in re.finditer(_FULL_NAME, text)
    )
