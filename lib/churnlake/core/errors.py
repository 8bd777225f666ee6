"""The few errors of the house. Each says what is wrong, where, and what to do next."""


class ChurnlakeError(Exception):
    """An error whose text is meant for the person at the command line."""

    exit_code = 1


class SettingsError(ChurnlakeError):
    """A setting, argument or feed file is wrong."""

    exit_code = 2


class MissingInputError(ChurnlakeError):
    """A job was asked to run before its input exists."""

    exit_code = 2


class UnreachableError(ChurnlakeError):
    """A service that is needed does not answer."""

    exit_code = 2


class ContractError(ChurnlakeError):
    """Data or a declaration breaks a table's contract, or a gate was not passed."""

    exit_code = 3


class LineageError(ChurnlakeError):
    """A job touched a table it did not declare, or declarations do not form a chain."""

    exit_code = 3


class BusyError(ChurnlakeError):
    """Another run of the job is at work."""

    exit_code = 2


class DiskFullError(ChurnlakeError):
    """No room left to write to."""
