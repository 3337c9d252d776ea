"""What people may see of secrets: nothing."""

from __future__ import annotations

from pulumi_protocol import masking
from pulumi_protocol.values import secret


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
