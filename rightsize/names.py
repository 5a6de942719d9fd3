"""Names of people, as far as the words around them give them away.

Without a language model nobody can tell a private person's name from a public one's, so a name counts only where
its surroundings make it a private one: "my name is ...", "patient ...", "call ... on", a title, a signature.
"""

import re
from collections.abc import Iterator

# Between words. Every run is bounded: two unbounded ones side by side take the square of what lies between them.
_GAP = r"\s{1,8}"
_MAYBE_GAP = r"\s{0,8}"
_NEXT_LINE = r"[ \t]{0,8}(?:\n[ \t]{0,8}){1,8}"
# A word starts where no letter stands before it and has an end: without both, a megabyte of capitals takes hours.
_WORD = r"(?<!\w)[A-ZÀ-ÖØ-Þ](?:[^\W\d_]|['’\-]){1,40}(?!\w)"
_PARTICLES = r"(?:(?:van|von|de|der|den|la|le|di|da|al|bin)\s{1,8}){0,3}"
_NEXT_WORD = rf"\s{{1,8}}{_PARTICLES}(?:[A-Z]\.\s{{0,8}})?{_WORD}"
_PERSON = rf"(?-i:{_WORD}(?:{_NEXT_WORD}){{0,3}})"
_FULL_NAME = rf"(?-i:{_WORD}{_NEXT_WORD})"

# Names in scripts without capitals: Chinese, Japanese, Korean, Hebrew, Arabic, Devanagari.
_UNCASED = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u05d0-\u05ea\u0620-\u064a\u0900-\u097f]{2,20}"

_INTRODUCTION = (
    rf"(?:i(?:['’]m|{_GAP}am){_GAP}called|ich{_GAP}hei(?:ß|ss)e|mein{_GAP}name{_GAP}ist|je{_GAP}m['’]appelle|"
    rf"mon{_GAP}nom{_GAP}est|me{_GAP}llamo|mi{_GAP}nombre{_GAP}es|mi{_GAP}chiamo|ik{_GAP}heet|o{_GAP}meu{_GAP}nome{_GAP}é|"
    rf"jeg{_GAP}heter|jag{_GAP}heter|nazywam{_GAP}się)"
)
_TITLE = r"(?:mr|mrs|ms|miss|mx|dr|prof|herr|frau|madame|monsieur|se[nñ]or|se[nñ]ora)"
_RELATION = (
    r"(?:client|customer|employee|applicant|candidate|tenant|claimant|defendant|colleague|neighbou?r|husband|wife|son|"
    r"daughter|mother|father|sister|brother|boyfriend|girlfriend|boss|manager|doctor|friend)"
)
_REACH = rf"(?:call|contact|email|e-mail|text|phone|ring|reach|write{_GAP}to|remind|invite|meet|ask)"
_HAPPENED = rf"(?:diagnosed|hospitali[sz]ed|fired|arrested|pregnant|born{_GAP}on|hired|prescribed|admitted)"
_BELONGING = r"(?:phone|number|address|e-?mail|salary|diagnosis|medical|birthday|account|passport|password)"

_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        rf"\bname(?:['’]s|{_GAP}is|{_MAYBE_GAP}:){_GAP}(?P<name>{_PERSON}|{_UNCASED})",
        # Whoever introduces themselves need not write capitals.
        rf"\bmy{_GAP}name(?:['’]s|{_GAP}is){_GAP}(?P<name>[^\W\d_]{{2,40}})",
        rf"(?:\b{_INTRODUCTION}{_GAP}|姓名{_MAYBE_GAP}[:：]?{_MAYBE_GAP}|我叫|私の名前は)(?P<name>{_PERSON}|{_UNCASED})",
        rf"\b(?:i{_GAP}am|i['’]m){_GAP}(?P<name>{_FULL_NAME})",
        rf"\b{_TITLE}\b\.?{_GAP}(?P<name>{_PERSON})",
        rf"\b(?:my|our|his|her|their|your|the){_GAP}{_RELATION}{_MAYBE_GAP}(?:name{_MAYBE_GAP})?[,:]?{_GAP}(?P<name>{_PERSON})",
        rf"\bpatient{_MAYBE_GAP}(?:name{_MAYBE_GAP})?[,:]?{_GAP}(?P<name>{_PERSON})",
        rf"\b{_REACH}{_GAP}(?P<name>{_FULL_NAME})",
        rf"^[ \t]{{0,8}}(?:dear|hi|hello)[ \t]{{1,8}}(?P<name>{_PERSON}){_MAYBE_GAP}[,!:]",
        rf"\b(?:sincerely|regards|cheers|best{_GAP}wishes|yours|love)[ \t]{{0,8}},?{_NEXT_LINE}(?P<name>{_FULL_NAME})",
        rf"(?P<name>{_FULL_NAME})(?:['’]s)?{_GAP}(?:was|is|has{_GAP}been|were){_GAP}{_HAPPENED}",
        rf"(?P<name>{_FULL_NAME})['’]s{_GAP}{_BELONGING}",
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
