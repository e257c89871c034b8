"""Process 1 of a cluster's namespaces: it adopts and reaps what others leave behind, and with it everything ends.

Run as a file of its own by a bare interpreter; the kernel kills all processes of the namespace when this one ends.
"""

import contextlib
import os
import signal


def main() -> None:
    """Reaps for ever. A blocked SIGCHLD stays pending, so that no child is missed between two rounds."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        signal.sigwait([signal.SIGCHLD])


if __name__ == "__main__":
    main()
