"""What people may see of secrets: nothing."""

from __future__ import annotations

import json

import pytest

from pulumi_protocol import masking
from pulumi_protocol.values import UNKNOWN, secret


def test_the_masker_knows_the_forms_a_secret_takes() -> None:
    """Lines, JSON escapes and credentials inside a JSON document are masked; a user name inside
    it and texts too short to be secrets are not."""
    masker = masking.Masker()
    masker.learn(
        {
            "key": secret("first line of key\nsecond line of key"),
            "quoted": secret('quo"ted-secret'),
            "document": secret('{"username": "postgres", "password": "correct-horse"}'),
            "short": secret("abc"),
        }
    )
    text = 'postgres correct-horse abc "quo\\"ted-secret" second line of key'
    assert masker.text(text) == 'postgres [secret] abc "[secret]" [secret]'
    assert masker.value({"a": ["is correct-horse", secret(1)]}) == {
        "a": ["is [secret]", "[secret]"]
    }


def test_the_masker_reads_documents_as_they_are() -> None:
    """Credentials in lists of a JSON document are masked; a text that only begins like JSON is
    masked as a whole."""
    masker = masking.Masker()
    masker.learn(
        secret('{"users": [{"password": "correct-horse"}], "tokens": ["battery-staple"]}'),
        secret("[no document"),
    )
    text = "correct-horse battery-staple, users, [no document"
    assert masker.text(text) == "[secret] [secret], users, [secret]"


def test_the_masker_looks_into_lists_and_leaves_the_rest() -> None:
    """Items of a secret list are masked wherever they turn up; what isn't secret is learnt
    nothing of, the same secret twice is one, and numbers, nulls and booleans stay."""
    masker = masking.Masker()
    masker.learn(
        {"open": "readable-text", "list": [secret(["battery-staple", 1234567, None, True])]}
    )
    masker.learn(secret("battery-staple"))
    assert masker.text("readable-text battery-staple 1234567") == "readable-text [secret] [secret]"
    assert masker.value({"a": [5, None, True, "battery-staple"]}) == {
        "a": [5, None, True, "[secret]"]
    }
    assert masking.masked(["x", secret("y")]) == ["x", "[secret]"]


@pytest.mark.parametrize("key", ["pass", "clientSecret", "API_TOKEN", "privateKey", "credentials"])
def test_a_key_says_that_its_value_is_secret(key: str) -> None:
    """Whatever the case; in a list at the top of the document, and escaped as JSON has it."""
    masker = masking.Masker()
    masker.learn(secret(json.dumps([{key: 'correct-"horse', "user": "postgres"}])))
    assert masker.text('correct-"horse correct-\\"horse postgres') == "[secret] [secret] postgres"


def test_texts_of_a_list_without_keys_are_no_credentials() -> None:
    """The whole document is secret, its unnamed words aren't; neither is a number a text."""
    masker = masking.Masker()
    masker.learn(secret('["readable-entry"]'), secret('{"password": 12345678}'))
    assert masker.text("readable-entry 12345678") == "readable-entry 12345678"


def test_six_letters_are_a_secret_and_five_are_not() -> None:
    """Masking shorter ones would blacken half of every message."""
    masker = masking.Masker()
    masker.learn(secret("sesame"), secret("abcde"))
    assert masker.text("open sesame abcde") == "open [secret] abcde"


def test_no_half_of_a_longer_secret_stays() -> None:
    """One secret may begin like another."""
    masker = masking.Masker()
    masker.learn(secret("correct-horse"), secret("correct-horse-battery"))
    assert masker.text("correct-horse-battery") == "[secret]"


def test_what_is_unknown_is_shown_by_a_word() -> None:
    """A preview has no value yet."""
    assert masking.masked({"a": [UNKNOWN]}) == {"a": ["[unknown]"]}
