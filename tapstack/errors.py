"""Errors that a person can act on: one line with what failed, why, and what to do next."""


class TapStackError(Exception):
    """A fault in what was configured or deployed; its message is one line."""


class SettingsError(TapStackError):
    """A configuration key is missing, unknown, of the wrong type or out of its range."""


class NameTooLongError(SettingsError):
    """A physical name would be longer than its AWS service allows."""


class ContractError(TapStackError):
    """A layer exports, or reads, something that its contract does not hold."""
