"""The programs: one a file, for spark-submit, a workflow task or the local runner."""

from functools import partial

from churnlake.core.job import declare
from churnlake.settings import Settings

job = partial(declare, Settings)
