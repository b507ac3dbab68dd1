"""`python -m smartsupport.embedded [--data FOLDER] [--throwaway]`: the two servers alone, until Ctrl-C.

Prints the lines to `export` for programs that are to use them.
"""

import argparse
import signal
import sys
from pathlib import Path

from smartsupport.embedded import servers
from smartsupport.embedded.errors import EmbeddedServerFailed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m smartsupport.embedded", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".local"), help="folder for the servers' files")
    parser.add_argument("--throwaway", action="store_true", help="faster, and not safe against a power cut")
    options = parser.parse_args()
    stop = (signal.SIGINT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)  # so that sigwait below receives them, whenever they come
    try:
        with servers.running(options.data.resolve(), throwaway=options.throwaway) as urls:
            print(f"export DATABASE_URL={urls.database_url}\nexport REDIS_URL={urls.redis_url}", flush=True)
            signal.sigwait(stop)
    except EmbeddedServerFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
