"""``python -m churnlake`` as a program that spark-submit takes: command.py COMMAND ..."""

import sys

from churnlake.__main__ import main

if __name__ == "__main__" and (code := main()):
    # who ends well returns: some clusters take any exit for a failure
    sys.exit(code)
