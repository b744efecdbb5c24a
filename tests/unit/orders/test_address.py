"""Delivery addresses: what is impossible, what is mended, what is cut and said."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Address
from tables.orders.address import fit
from tables.orders.countries import CODES, POSTCODES


def address(**changed: str) -> Address:
    given: dict[str, Any] = {
        "name": "Ann Lee",
        "line1": "1 High St",
        "city": "Leeds",
        "postcode": "LS1 1AA",
        "country": "GB",
    }
    return Address(**{**given, **changed})


def test_an_address_that_is_right_stays_as_it_is() -> None:
    fitted = fit(address(phone="+44 1", email="a@b.c", region="Yorks"))
    assert fitted.address == address(phone="+44 1", email="a@b.c", region="Yorks")
    assert not fitted.impossible and not fitted.cut


@pytest.mark.parametrize(
    ("country", "given", "written"),
    [
        ("GB", "ls11aa", "LS1 1AA"),
        ("UK", "SW1A  2AA", "SW1A 2AA"),
        ("gb", "bf1 3aa", "BF1 3AA"),
        ("DE", "D-10115", "10115"),
        ("AT", "A-1010", "1010"),
        ("LU", "L-1234", "1234"),
        ("US", "123456789", "12345-6789"),
        ("US", "02134", "02134"),
        ("CA", "k1a0b1", "K1A 0B1"),
        ("NL", "1234ab", "1234 AB"),
        ("PL", "00950", "00-950"),
        ("PT", "1000 001", "1000-001"),
        ("SE", "11455", "114 55"),
        ("LV", "1010", "LV-1010"),
        ("LT", "LT01103", "LT-01103"),
        ("JP", "1000001", "100-0001"),
        ("IE", "", ""),
        ("IE", "d02x285", "D02 X285"),
        ("HK", "", ""),
        ("PE", "lima 27", "LIMA 27"),
    ],
)
def test_a_postcode_is_written_in_the_form_of_its_country(country: str, given: str, written: str) -> None:
    fitted = fit(address(country=country, postcode=given, region="X"))
    assert fitted.address.postcode == written
    assert not fitted.impossible
    assert fitted.address.country == {"UK": "GB", "gb": "GB"}.get(country, country)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"postcode": "12345"}, "none of GB (such as AB1 2CD)"),
        ({"postcode": ""}, "no postcode"),
        ({"country": "DE", "postcode": "1011"}, "none of DE"),
        ({"country": "US", "postcode": "1234", "region": "MA"}, "none of US"),
        ({"country": "US", "postcode": "02134"}, "no state or province"),
        ({"country": "ZZ"}, "no ISO 3166 code"),
        ({"country": "England"}, "no ISO 3166 code"),
        ({"country": ""}, "no country"),
        ({"name": ""}, "no name or company"),
        ({"name": "\x00\x01", "city": " "}, "no name or company and no town"),
        ({"line1": ""}, "no street"),
        ({"country": "PE", "postcode": "12345678901"}, "longer than 10"),
    ],
)
def test_what_nothing_can_be_sent_to_is_said(changed: dict[str, str], word: str) -> None:
    found = fit(address(**changed)).impossible
    assert any(word in text for text in found), found


def test_what_is_said_of_an_address_is_never_its_content() -> None:
    secret = Address(**{name: f"secret {name}" for name in Address.__struct_fields__})
    said = fit(secret).impossible
    assert said and "secret" not in " ".join(said)


def test_a_company_stands_for_a_name_or_beside_it() -> None:
    assert fit(address(name="", company="Lee Ltd")).address.name == "Lee Ltd"
    beside = fit(address(company="Lee Ltd", extra="Dock 4")).address
    assert (beside.name, beside.company, beside.extra) == ("Ann Lee", "", "Lee Ltd, Dock 4")


def test_a_street_too_long_goes_on_in_the_next_lines_and_nothing_is_lost() -> None:
    street = "The Old Flour Mill at the far end of the long lane behind the church, second door on the left"
    fitted = fit(address(line1=street, line2="Flat 2"))
    assert not fitted.cut
    assert len(fitted.address.line1) <= 80
    assert f"{fitted.address.line1}, {fitted.address.line2}".replace(",", "").split() == (
        f"{street} Flat 2".replace(",", "").split()
    )


def test_what_fits_on_no_line_is_cut_and_kept_for_the_notes() -> None:
    fitted = fit(address(line1="x" * 300, city="y" * 90))
    assert [len(line) for line in (fitted.address.line1, fitted.address.line2, fitted.address.extra)] == [80, 80, 80]
    assert fitted.cut == {"street": "x" * 300, "city": "y" * 90}
    assert not fitted.impossible


def test_a_second_line_alone_is_the_street() -> None:
    assert fit(address(line1="", line2="PO Box 9")).address.line1 == "PO Box 9"


def test_phone_and_e_mail_that_cannot_be_right_hold_nothing_and_are_said() -> None:
    fitted = fit(address(phone="1" * 60, email="not an address"), phone="+44 9", email="shop@example.com")
    assert (fitted.address.phone, fitted.address.email) == ("+44 9", "shop@example.com")
    assert set(fitted.cut) == {"phone", "email"}
    assert fit(address(), phone="+44 9").address.phone == "+44 9"


def test_an_address_goes_without_emoji_and_that_is_said() -> None:
    fitted = fit(address(line1="1 High St 🏠"))
    assert fitted.address.line1 == "1 High St" and fitted.cut == {"street": "1 High St 🏠"}


@given(st.builds(Address, **{name: st.text(max_size=300) for name in Address.__struct_fields__}))
def test_any_address_ends_within_the_limits_of_clarus(given: Address) -> None:
    made = fit(given, name_limit=255).address
    assert all(len(line) <= 80 for line in (made.line1, made.line2, made.extra, made.city, made.region))
    assert len(made.phone) <= 50 and len(made.email) <= 254 and len(made.name) <= 255 and made.company == ""
    assert fit(given).impossible or (made.country in CODES and len(made.postcode) <= 10)


def test_every_form_fits_its_own_example() -> None:
    for country, form in POSTCODES.items():
        for example in form.example.split(" or "):
            assert fit(address(country=country, postcode=example, region="X")).address.postcode == example
