from __future__ import annotations

import base64
import json
from time import perf_counter
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kdeploy.model import Culprit, Outcome, Reason
from kdeploy.report.encode import encode_value
from kdeploy.report.redact import SHORTEST, Redactor, encodings
from kdeploy.report.value import Report
from kdeploy.secret import Secret
from kdeploy.text import one_line

SECRET = 'p@ss/"w<rd>+1 ü'
SECRETS = st.text(min_size=SHORTEST, max_size=40)
AROUND = st.text(max_size=10)


@given(secret=SECRETS, before=AROUND, after=AROUND)
def test_no_encoding_of_any_secret_is_left_in_any_text(secret: str, before: str, after: str) -> None:
    redact = Redactor([Secret(secret)])
    for form in encodings(secret):
        assume(len(form) >= SHORTEST)
        shown = redact(f"{before}{form}{after}")
        assert not any(other in shown for other in encodings(secret) if len(other) >= SHORTEST)


@given(secret=st.binary(min_size=4, max_size=40).map(lambda raw: raw.hex()), before=st.binary(), after=st.binary())
def test_a_secret_inside_a_longer_base64_text_is_caught_at_any_alignment(
    secret: str, before: bytes, after: bytes
) -> None:
    whole = base64.b64encode(before + secret.encode() + after).decode()
    shown = Redactor([Secret(secret)])(whole)
    for piece in shown.split("***"):
        longest = piece.rstrip("=")
        for start in range(4):  # however the remains are aligned
            part = longest[start:]
            part = part[: len(part) - len(part) % 4]
            assert secret.encode() not in base64.b64decode(part)
    assert "***" in shown


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="").replace("%2F", "%2f").replace("%40", "%40").replace("%C3%BC", "%c3%bc").lower(),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1].replace("<", "\\u003c").replace(">", "\\u003e"),
    ],
)
def test_each_usual_encoding_becomes_three_asterisks(form: str) -> None:
    assert Redactor([Secret(SECRET)])(f"<{form}>") == "<***>"


def test_each_line_of_a_key_is_a_secret_too() -> None:
    redact = Redactor([Secret("-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\n-----END KEY-----\n")])
    assert redact("error near MIIEpAIBAAKCAQEA: bad") == "error near ***: bad"


def test_overlapping_secrets_leave_nothing_of_either() -> None:
    assert Redactor([Secret("abcdef"), Secret("defghi")])("-abcdefghi-") == "-***-"


def test_a_mask_cannot_complete_another_secret() -> None:
    assert "*b**" not in Redactor([Secret("zzzz"), Secret("*b**")])("zzzzb**")


def test_a_secret_of_three_characters_is_not_looked_for() -> None:
    assert Redactor([Secret("abc")])("abc") == "abc"


def test_a_secret_may_be_added_later() -> None:
    redact = Redactor()
    assert redact("token-1234") == "token-1234"
    redact.add(Secret("token-1234"))
    assert redact("token-1234") == "***"


def test_control_characters_do_not_hide_a_secret_from_scrubbing() -> None:
    redact = Redactor([Secret("hunter2hunter2")])
    culprit = Culprit(pod="p", reason="Error", log_tail="hunter2\x1b[0mhunter2", events=("a hunter2\x00hunter2 b",))
    scrubbed = redact.scrub(culprit)
    assert scrubbed == Culprit(pod="p", reason="Error", log_tail="***", events=("a *** b",))


def test_scrubbing_leaves_the_words_of_the_contract_alone() -> None:
    report = Report(outcome=Outcome.DEPLOYED, exit_code=0, reason=Reason.COMPLETE, message="deployed: Complete")
    scrubbed = Redactor([Secret("deployed"), Secret("Complete")]).scrub(report)
    assert (scrubbed.outcome, scrubbed.reason, scrubbed.message) == (Outcome.DEPLOYED, Reason.COMPLETE, "***: ***")


def test_what_is_cut_to_length_shows_no_half_of_a_secret() -> None:
    text = "x" * 1990 + "hunter2hunter2hunter2"
    assert "hunter2" not in encode_value(Redactor([Secret("hunter2hunter2hunter2")]).scrub(text))


def test_a_megabyte_with_fifty_secrets_takes_well_under_a_second() -> None:
    redact = Redactor(Secret(f"secret-number-{n:04}") for n in range(50))
    text = "an ordinary line of a build, with nothing to hide in it\n" * 20_000
    began = perf_counter()
    assert redact(text) == text
    assert perf_counter() - began < 2


def test_the_beginning_of_a_secret_that_was_cut_to_length_is_hidden() -> None:
    token = "tok-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    redact = Redactor([Secret(token)])
    for length in range(20, 60):
        shown = redact(one_line(f"the header was {token} indeed", length))
        assert "tok-" not in shown, shown
    assert redact("tok-ABC is no secret") == "tok-ABC is no secret"


def test_a_secret_whose_blanks_were_folded_is_hidden() -> None:
    assert "phrase" not in Redactor([Secret("pass  phrase of mine")])(one_line("got pass  phrase of mine"))
