"""What counts as personal data, and what only looks like it. All of it is made up."""

import time
from types import ModuleType
from typing import Any

import pytest

from rightsize import personal_data
from rightsize.errors import DetectorUnavailable
from rightsize.names import find_names
from rightsize.personal_data import Findings, Kind, PersonalDataDetector
from rightsize.request import read_request
from rightsize.settings import PrivacySettings
from tests.unit.core.build import chat

DEFAULTS = PrivacySettings()


def kinds(text: str, **settings: Any) -> set[Kind]:
    return set(PersonalDataDetector().scan_text(text, PrivacySettings(**settings)))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Call me on +44 20 7946 0958.", Kind.PHONE),
        ("my mobile: 07700 900123", Kind.PHONE),
        ("Reach her at (415) 555-2671 today", Kind.PHONE),
        ("415-555-2671", Kind.PHONE),
        ("Tel. 030 23125 123", Kind.PHONE),
        ("phone 5551234", Kind.PHONE),
        ("ada.lovelace+x@mail.example.org", Kind.EMAIL),
        ("I live at 221B Baker Street, London.", Kind.POSTAL_ADDRESS),
        ("Ich wohne in der Torstraße 12.", Kind.POSTAL_ADDRESS),
        ("Elle habite 12, rue de Rivoli", Kind.POSTAL_ADDRESS),
        ("She was born on 12 March 1984.", Kind.BIRTH_DATE),
        ("DOB: 03/12/1984", Kind.BIRTH_DATE),
        ("Pay with 4111 1111 1111 1111, please", Kind.CARD),
        ("my card is 5500005555555559", Kind.CARD),
        ("IBAN DE89 3704 0044 0532 0130 00 and then some words", Kind.BANK_ACCOUNT),
        ("GB82WEST12345698765432", Kind.BANK_ACCOUNT),
        ("my SSN is 536-90-4399", Kind.NATIONAL_ID),
        ("NHS 943 476 5919", Kind.NATIONAL_ID),
        ("DNI 54362315K", Kind.NATIONAL_ID),
        ("codice fiscale RCCMNL83S18D969H", Kind.NATIONAL_ID),
        ("CPF 390.533.447-05", Kind.NATIONAL_ID),
        ("passport number X1234567", Kind.NATIONAL_ID),
        ("the login came from 81.2.69.142", Kind.IP_ADDRESS),
        ("My name is Ada Lovelace.", Kind.NAME),
        ("Patient John Smith has a cough", Kind.NAME),
        ("Dear Mrs. Dalloway,", Kind.NAME),
        ("I'm Grace Hopper and I need help", Kind.NAME),
        ("My colleague Priya keeps missing stand-up", Kind.NAME),
        ("Best regards,\nTomás de la Cruz", Kind.NAME),
        ("Write to Ludwig van Beethoven about it", Kind.NAME),
        ("Ada Lovelace, ada@example.org", Kind.NAME),
        ("my name's bob", Kind.NAME),
        ("Ich heiße Jürgen Müller", Kind.NAME),
        ("Je m'appelle Marie Dupont", Kind.NAME),
        ("Hola, me llamo Juan García", Kind.NAME),
        ("My name is 田中太郎", Kind.NAME),
        ("我叫张伟", Kind.NAME),
        ("Dr. Patel says that my results are bad", Kind.NAME),
        ("It is at 1600 Pennsylvania Ave NW, Washington", Kind.POSTAL_ADDRESS),
        ("log in from 2a00:1450:4001:81b::200e", Kind.IP_ADDRESS),
        ("phone: ０２０ ７９４６ ０９５８", Kind.PHONE),
        ("+44\u200b20\u200b7946\u200b0958", Kind.PHONE),
        ("ada\u2060@example.org", Kind.EMAIL),
    ],
)
def test_personal_data_is_found(text: str, kind: Kind) -> None:
    assert kind in kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "What time zone is Tokyo in?",
        "Who was Ada Lovelace?",
        "The war lasted from 1939-1945.",
        "The meeting is on 2026-11-25 at 10:30.",
        "It costs 1 250 000 dollars, or 3.141.592 in all.",
        "What is 123456789 * 987654321?",
        "The order number is 4111 1111 1111 1112.",
        "My server listens on 192.168.1.20, 127.0.0.1, ::1 and fe80::1 since 10:30:00.",
        "std::vector<int> a; 20:30:40:50",
        "Upgrade from 1.2.3.4 to 2.0.0.1.",
        "def f(x): return x[1:20] + 0xDEADBEEF",
        "Explain the street value of a proof by induction.",
        "I am German and my name is not important.",
        "0000 0000 0000 0000",
        "Call Python from Rust",
        "",
    ],
)
def test_what_only_looks_like_personal_data_is_let_through(text: str) -> None:
    assert kinds(text) == set()


def test_the_countries_whose_numbers_are_known_can_be_set() -> None:
    assert kinds("020 7946 0958", phone_regions="GB") == {Kind.PHONE}
    assert kinds("020 7946 0958", phone_regions="US") == set()
    assert kinds("+44 20 7946 0958", phone_regions="") == {Kind.PHONE}


def test_a_request_is_read_whole() -> None:
    found = PersonalDataDetector().scan(chat("My name is Ada Lovelace", "and what is 2 + 2?"), DEFAULTS)
    assert found.kinds == (Kind.NAME,)


def test_personal_data_in_a_tools_result_is_found() -> None:
    body = {"messages": [{"role": "user", "content": "who?"}, {"role": "tool", "content": '{"mail":"a@example.org"}'}]}
    assert PersonalDataDetector().scan(read_request(body), DEFAULTS).kinds == (Kind.EMAIL,)


def test_an_attachment_that_cannot_be_read_counts_unless_an_administrator_says_otherwise() -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}]}
    request = read_request(body)
    assert PersonalDataDetector().scan(request, DEFAULTS).kinds == (Kind.ATTACHMENT,)
    assert not PersonalDataDetector().scan(request, PrivacySettings(attachments_stay_local=False))


@pytest.mark.parametrize("text", ["call 415 555 2671", "hello"])
def test_without_its_libraries_everything_that_needs_them_counts(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    def missing(name: str) -> ModuleType:
        raise ImportError(name)

    monkeypatch.setattr(personal_data, "import_module", missing)
    assert PersonalDataDetector().scan(chat(text), DEFAULTS).kinds == (Kind.NOT_CHECKED,)
    with pytest.raises(DetectorUnavailable, match="phonenumbers"):
        PersonalDataDetector().scan_text(text, DEFAULTS)


def test_findings_read_as_a_phrase_in_one_order() -> None:
    assert Findings().sentence == ""
    assert Findings((Kind.NAME,)).sentence == "a name"
    found = Findings((Kind.EMAIL,)).merged_with([Kind.PHONE, Kind.NAME, Kind.PHONE])
    assert found.sentence == "a name, a phone number and an email address"


def test_texts_are_remembered_by_digest_only_and_not_for_ever() -> None:
    detector = PersonalDataDetector(memory=2)
    for text in ("one@example.org", "two@example.org", "three@example.org"):
        detector.scan_text(text, DEFAULTS)
    remembered = detector._seen
    assert len(remembered) == 2
    assert "example" not in repr(remembered)


@pytest.mark.parametrize(
    "piece", ["A", "1", "1 ", "a@", "Aa ", "(1", "x@y.", "born ", "1 A ", "passport AAA ", "Aa van "]
)
def test_a_text_made_to_be_slow_takes_no_more_than_its_length_calls_for(piece: str) -> None:
    started = time.monotonic()
    kinds(piece * (200_000 // len(piece)))
    # Seconds where the time grows with the length, hours where it grows with its square.
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("words", "filler"),
    [
        ("Best regards", "\n"),
        ("Best regards", " \n"),
        ("my client", " "),
        ("my client name", " "),
        ("patient", " "),
        ("patient name", "\t"),
        ("姓名", " "),
        ("My name", " "),
        ("Dear", " "),
    ],
)
def test_words_before_a_name_and_nothing_but_space_are_read_in_linear_time(words: str, filler: str) -> None:
    started = time.monotonic()
    for text in (words + filler * (100_000 // len(filler)), f"{words}{filler * 50}" * 1000):
        assert list(find_names(text)) == []
        kinds(text)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("gap", [" " * 30, "\t\t", "\u3000", " \n \n\n" * 10])
def test_a_wide_gap_before_a_name_hides_nothing(gap: str) -> None:
    assert Kind.NAME in kinds(f"Patient:{gap}Ada Lovelace")
    assert Kind.NAME in kinds(f"Best regards\n{gap}Ada Lovelace")


def test_more_numbers_than_can_be_checked_count_as_personal_data() -> None:
    assert Kind.UNCHECKED in kinds("1234567 x " * 6000)
