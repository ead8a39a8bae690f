"""Asks the network for everything the application can ask for, in a process of its own, and says what came of it.

    python -m tests.end_to_end.reaching DATA_FOLDER URL...

Prints a list of what each address answered: the size of the answer, or the code of the error; the last one is the code
of a check of the connection.
"""

from __future__ import annotations

import json
import sys

from app.base.errors import InglenookError
from app.base.paths import find_places
from app.bootstrap import Application, build
from app.privacy.policy import Purpose


def main() -> int:
    """Returns 0."""
    application = build(find_places(sys.argv[1]))
    application.open()
    try:
        print(
            json.dumps(
                [*(asked(application, url) for url in sys.argv[2:]), application.network.check_connection().code]
            )
        )
    finally:
        application.close()
    return 0


def asked(application: Application, url: str) -> int | str:
    """How large the answer was, or the code of what went wrong."""
    try:
        application.network.consent()
    except InglenookError:
        pass  # asked all the same
    try:
        with application.gate.action(Purpose.DOWNLOAD, f"Download {url}"):
            return len(application.gate.client().get(url, follow_redirects=True).content)
    except InglenookError as error:
        return error.code


if __name__ == "__main__":
    sys.exit(main())
