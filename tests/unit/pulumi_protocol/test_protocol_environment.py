"""The environment of programs and plugins that may reach nothing but the lab."""

from __future__ import annotations

import pytest

from pulumi_protocol import environment


def test_the_environment_of_children_reaches_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """No AWS or Pulumi variable and no proxy of the user's gets through; metadata is off."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "https_proxy", "PULUMI_BACKEND_URL"):
        monkeypatch.setenv(name, "leaked")
    monkeypatch.setenv("UNRELATED", "kept")
    made = environment.isolated({"EXTRA": "1"}, None)
    assert "leaked" not in made.values()
    assert made["UNRELATED"] == "kept" and made["EXTRA"] == "1"
    assert made["AWS_EC2_METADATA_DISABLED"] == "true"
    assert made["AWS_CONFIG_FILE"] == made["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
