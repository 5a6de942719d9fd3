"""Find personal data in text. Numbers are checked by python-stdnum and phonenumbers, not by their looks alone."""

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from importlib import import_module
from typing import Any

from rightsize.errors import DetectorUnavailable
from rightsize.names import find_names, has_full_name
from rightsize.request import ChatRequest
from rightsize.settings import PrivacySettings, split_list


class Kind(StrEnum):
    """A kind of personal data, worded as it is shown to the user."""

    NAME = "a name"
    PHONE = "a phone number"
    EMAIL = "an email address"
    POSTAL_ADDRESS = "a postal address"
    BIRTH_DATE = "a date of birth"
    CARD = "a payment card number"
    BANK_ACCOUNT = "a bank account number"
    NATIONAL_ID = "a national identity number"
    IP_ADDRESS = "an IP address"
    UNCHECKED = "more numbers than can be checked"
    ATTACHMENT = "an attachment that cannot be read for personal data"
    NOT_CHECKED = "a message that could not be checked for personal data"


@dataclass(frozen=True)
class Findings:
    """The kinds of personal data found, in the order of Kind; never the data itself."""

    kinds: tuple[Kind, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return bool(self.kinds)

    def merged_with(self, kinds: Iterable[Kind]) -> "Findings":
        """These findings and the given kinds, without repeats."""
        found = {*self.kinds, *kinds}
        return Findings(tuple(kind for kind in Kind if kind in found))

    @property
    def sentence(self) -> str:
        """The kinds as a phrase: 'a name and a phone number'."""
        if len(self.kinds) < 2:
            return "".join(self.kinds)
        return f"{', '.join(self.kinds[:-1])} and {self.kinds[-1]}"


# A text with more number-like runs than this is a data set: checking each would hold up the chat.
_MOST_CANDIDATES = 2000

_EMAIL = re.compile(r"[\w.+%'-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\b", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w.,:/-])(?:\+|00)?\(?\d[\d ()./\u2010-\u2015\xa0-]{4,22}\d(?![\w]|[.,:]\d)")
_PHONE_WORD = re.compile(
    r"\b(?:phone|telephone|tel|mobile|cell|call|fax|whatsapp|sms|text|ring|reach|handy|telefon|t[eé]l[eé]phone|portable|"
    r"m[oó]vil|tel[eé]fono|cellulare|number\s+is)\b[^\n]{0,24}$",
    re.IGNORECASE,
)
# Shapes that telephone numbers share: dates, ranges of years, amounts with their thousands apart, IP addresses.
_NOT_PHONE = re.compile(
    r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}|(?:19|20)\d\d ?[-\u2010-\u2015/] ?(?:19|20)\d\d"
    r"|\d{1,3}(?:[. ]\d{3})+|(?:\d{1,3}\.){3}\d{1,3}"
)
_CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b", re.IGNORECASE)
_IP = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
# Global unicast IPv6 addresses lie in 2000::/3 (RFC 4291, section 2.4).
_IP_VERSION_6 = re.compile(r"(?<![\w:])[23][0-9a-f]{1,3}(?::[0-9a-f]{0,4}){3,7}(?![\w:])", re.IGNORECASE)
_BIRTH = re.compile(
    r"\b(?:born(?:\s+on)?|date\s+of\s+birth|birth\s*date|d\.?o\.?b\.?|birthday|geboren(?:\s+am)?|n[ée]e?\s+le)\b"
    r"[\s:is]{0,6}(?:\d{1,4}[-./ ]\d{1,2}[-./ ]\d{1,4}|\d{1,2}(?:st|nd|rd|th)?\.?\s+[^\W\d]{3,12}\s+\d{4}"
    r"|[^\W\d]{3,12}\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4})",
    re.IGNORECASE,
)
_STREET = re.compile(
    r"\b\d{1,5}[a-z]?\s+(?:[A-ZÀ-Þ][\w'’.-]*\s+){1,4}(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|"
    r"square|terrace|place|way|close|crescent)\b(?=(?:\s+[ns]?[ew]|\s+[ns])?\.?\s*(?:,|\n|$|in\b|apt|flat|#|\.|;))"
    r"|\b(?:[A-ZÀ-Þ][\w'’-]*(?:straße|strasse|str\.|weg|gasse|platz|allee|gade|vej|gatan|straat|laan))\s+\d{1,4}\b"
    r"|\b\d{1,4},?\s+(?:rue|avenue|boulevard|place|chemin)\s+(?:de\s+|du\s+|des\s+|la\s+|le\s+|l['’])*[A-ZÀ-Þ]\w+"
    r"|\b(?:calle|via|avenida|rua)\s+[A-ZÀ-Þ]\w+(?:\s+\w+){0,3},?\s+\d{1,4}\b",
    re.IGNORECASE,
)

# National numbers whose written form is their own, each with the python-stdnum module that checks it.
_NATIONAL_FORMATS = (
    (re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"), "stdnum.us.ssn"),
    (re.compile(r"\b[A-Z]\d{7}[A-Z]\b|\b[XYZ]-?\d{7}-?[A-Z]\b", re.IGNORECASE), "stdnum.es.nie"),
    (re.compile(r"\b\d{8}-?[A-Z]\b", re.IGNORECASE), "stdnum.es.dni"),
    (re.compile(r"\b[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]\b", re.IGNORECASE), "stdnum.it.codicefiscale"),
    (re.compile(r"(?<!\w)[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}(?!\w)"), "stdnum.fr.nir"),
    (re.compile(r"(?<!\w)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)"), "stdnum.br.cpf"),
    (re.compile(r"(?<!\w)\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}(?!\w)"), "stdnum.be.nn"),
    (re.compile(r"(?<!\w)756\.\d{4}\.\d{4}\.\d{2}(?!\w)"), "stdnum.ch.ssn"),
    (re.compile(r"(?<!\w)\d{6}-\d{4}(?!\w)"), "stdnum.dk.cpr"),
    (re.compile(r"(?<!\w)\d{6}[-+]\d{4}(?!\w)"), "stdnum.se.personnummer"),
    (re.compile(r"(?<!\w)\d{3} ?\d{3} ?\d{4}(?!\w)"), "stdnum.gb.nhs"),
)
# Bare runs of digits that only the words before them make a national number.
_NATIONAL_WORD = re.compile(
    r"\b(?:ssn|social\s+security|national\s+insurance|nino|passport|tax\s+(?:id|number)|steuer-?id\w*|bsn|pesel|aadhaar|"
    r"identity\s+(?:card|number)|id\s+(?:card|number)|driver'?s?\s+licen[cs]e|medicare|nhs)\b[^\n\d]{0,20}"
    r"(?=[A-Z]{0,3}[\d -]{6,})",
    re.IGNORECASE,
)


def _library(name: str) -> Any:
    # Loaded at the first check, not at the top: a missing library must lead to a local answer,
    # not to a function that Open WebUI cannot load and therefore silently leaves out.
    try:
        return import_module(name)
    except ImportError as error:
        raise DetectorUnavailable("python-stdnum" if name.startswith("stdnum") else name) from error


class _TooManyCandidates(Exception):
    """A text holds more number-like runs than can be checked without holding up the chat."""


def _candidates(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    for count, match in enumerate(pattern.finditer(text)):
        if count >= _MOST_CANDIDATES:
            raise _TooManyCandidates
        yield match


def _has_phone(text: str, regions: tuple[str, ...]) -> bool:
    phonenumbers = _library("phonenumbers")

    def valid(number: str, region: str | None) -> bool:
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            return False
        # A number written with its country code only has to be possible: refusing invalid ones would let typos through.
        return bool(phonenumbers.is_possible_number(parsed) if region is None else phonenumbers.is_valid_number(parsed))

    for match in _candidates(_PHONE, text):
        number = match[0].strip()
        digits = sum(character.isdigit() for character in number)
        if not 7 <= digits <= 15:
            continue
        if number.startswith("+") and valid(number, None):
            return True
        if _PHONE_WORD.search(text, max(0, match.start() - 48), match.start()):
            return True
        if _NOT_PHONE.fullmatch(number):
            continue
        written_as_one = number.isdigit() and not number.startswith("0")
        if digits >= 8 and not written_as_one and any(valid(number, region) for region in regions):
            return True
    return False


def _has_card(text: str) -> bool:
    luhn = _library("stdnum.luhn")
    numbers = (re.sub(r"\D", "", match[0]) for match in _candidates(_CARD, text))
    return any(luhn.is_valid(number) and len(set(number)) > 1 for number in numbers)


def _has_bank_account(text: str) -> bool:
    iban = _library("stdnum.iban")
    lengths = range(15, 35)
    for match in _candidates(_IBAN, text):
        compact = match[0].replace(" ", "")
        # The words after an IBAN can look like more of it, so every possible length is tried.
        if any(iban.is_valid(compact[:length]) for length in lengths if length <= len(compact)):
            return True
    return False


def _has_national_id(text: str) -> bool:
    if _NATIONAL_WORD.search(text):
        return True
    for pattern, module in _NATIONAL_FORMATS:
        for match in _candidates(pattern, text):
            # Ten bare digits pass the NHS check one time in eleven: only the word "NHS" makes them one.
            if module == "stdnum.gb.nhs" and "NHS" not in text[max(0, match.start() - 40) : match.start()].upper():
                continue
            if _library(module).is_valid(match[0]):
                return True
    return False


def _has_ip_address(text: str) -> bool:
    def is_global(written: str) -> bool:
        try:
            return ipaddress.ip_address(written).is_global
        except ValueError:
            return False

    # Version numbers look like addresses; those with a first part below 5 are mostly versions.
    if any(is_global(match[0]) and int(match[0].split(".")[0]) >= 5 for match in _candidates(_IP, text)):
        return True
    return any(is_global(match[0]) for match in _candidates(_IP_VERSION_6, text))


def _readable(text: str) -> str:
    """The text as it reads: full-width digits as digits, no invisible characters between them, and no wide gaps."""
    seen = re.sub(r"[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]", "", unicodedata.normalize("NFKC", text))
    return re.sub(r"\n(?: ?\n)+", "\n\n", re.sub(r"[^\S\n]+", " ", seen))


def _detect(text: str, regions: tuple[str, ...]) -> Iterator[Kind]:
    checks: tuple[tuple[Kind, Callable[[], object]], ...] = (
        (Kind.PHONE, lambda: _has_phone(text, regions)),
        (Kind.EMAIL, lambda: _EMAIL.search(text)),
        (Kind.POSTAL_ADDRESS, lambda: _STREET.search(text)),
        (Kind.BIRTH_DATE, lambda: _BIRTH.search(text)),
        (Kind.CARD, lambda: _has_card(text)),
        (Kind.BANK_ACCOUNT, lambda: _has_bank_account(text)),
        (Kind.NATIONAL_ID, lambda: _has_national_id(text)),
        (Kind.IP_ADDRESS, lambda: _has_ip_address(text)),
    )
    found = []
    for kind, check in checks:
        try:
            if check():
                found.append(kind)
        except _TooManyCandidates:
            found.append(Kind.UNCHECKED)
    yield from found
    if next(find_names(text), None) or (found and has_full_name(text)):
        yield Kind.NAME


class PersonalDataDetector:
    """Finds personal data, remembering what it found in texts it has seen so that a long chat is read once.

    Only digests of texts are remembered, at most `memory` of them.
    """

    def __init__(self, memory: int = 4096) -> None:
        self._memory = memory
        self._seen: dict[bytes, tuple[Kind, ...]] = {}

    def scan_text(self, text: str, settings: PrivacySettings) -> tuple[Kind, ...]:
        """The kinds of personal data in one text. Raises DetectorUnavailable if a library is missing."""
        regions = split_list(settings.phone_regions.upper())
        key = blake2b(f"{regions}\0{text}".encode("utf-8", "replace"), digest_size=16).digest()
        if key not in self._seen:
            if len(self._seen) >= self._memory:
                self._seen.pop(next(iter(self._seen)))
            self._seen[key] = tuple(_detect(_readable(text), regions))
        return self._seen[key]

    def scan(self, request: ChatRequest, settings: PrivacySettings) -> Findings:
        """The kinds of personal data in a whole request.

        Fails closed: what cannot be checked (an attachment, or anything at all when a library is missing)
        counts as personal data.
        """
        kinds: set[Kind] = set()
        if settings.attachments_stay_local and request.attachments:
            kinds.add(Kind.ATTACHMENT)
        try:
            for message in request.messages:
                for text in message.strings:
                    kinds.update(self.scan_text(text, settings))
        except DetectorUnavailable:
            kinds.add(Kind.NOT_CHECKED)
        return Findings().merged_with(kinds)
