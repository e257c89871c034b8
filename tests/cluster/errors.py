"""What may go wrong with a cluster for the tests, each with one plain message."""


class RigError(Exception):
    """The cluster cannot be started, used or stopped; the text says why, and what to do about it."""


class UnsupportedError(RigError):
    """This kind of cluster cannot do what was asked; a test that needs it is skipped with this text as its reason."""
