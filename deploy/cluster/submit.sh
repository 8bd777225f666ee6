#!/usr/bin/env bash
# Run a job, or a command of python -m churnlake, on a Spark cluster: makes what spark-submit needs and submits it.
#
#   submit.sh [OPTIONS OF spark-submit] -- run --workflow daily --env cluster --set store.lake=hdfs:///lake ...
#   submit.sh [OPTIONS OF spark-submit] -- jobs/build_daily.py --env cluster --dates 2005-05-01..2005-05-31 ...
#
# PYTHON            the Python with this project's packages, of the driver in client mode (.venv/bin/python)
# CHURNLAKE_PYTHON  a Python with them at the same path on every node: no environment is packed then
# JARS              folder of the jars of deploy/jars.lock, fetched where they lack (~/.cache/churnlake/jars)
# JAR_GROUPS        groups of further jars of that file, as "s3 openlineage" (none)
# EVENT_LOGS        where event logs go, a folder or URI that is there (build/cluster/events)
set -euo pipefail
home=$(cd "$(dirname "$0")/../.." && pwd)
out=$home/build/cluster
PYTHON=${PYTHON:-$home/.venv/bin/python}
JARS=${JARS:-$HOME/.cache/churnlake/jars}
# of a driver in client mode, too
export PYTHONPATH=$home/lib:$home CHURNLAKE_CONF=${CHURNLAKE_CONF:-$home/conf}

options=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
done
if [ $# -lt 2 ]; then
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
shift
case "$1" in
*.py) program=$1 && shift ;;
*) program=$home/deploy/cluster/command.py ;;
esac

command -v "$PYTHON" >/dev/null || { echo "submit.sh: no Python at $PYTHON; run make setup, or set PYTHON" >&2; exit 2; }
mkdir -p "$out"
code=$("$PYTHON" "$home/deploy/cluster/pack.py" code "$out")
archives=$code/conf.zip#conf
python=${CHURNLAKE_PYTHON:-}
if [ -z "$python" ]; then
    archives=$("$PYTHON" "$home/deploy/cluster/pack.py" environment "$out")#environment,$archives
    python=./environment/bin/python
fi
driver=$PYTHON
if [[ " ${options[*]} " =~ \ --deploy-mode[=\ ]cluster\  ]]; then
    driver=$python
    : "${EVENT_LOGS:?a driver on the cluster writes its event log there: give a URI that is there}"
fi
if [ -z "${EVENT_LOGS:-}" ]; then
    mkdir -p "$out/events"
    EVENT_LOGS=file://$out/events
fi
jars=$("$PYTHON" -m churnlake.core.jars "$JARS" ${JAR_GROUPS:-} | paste -sd,)
SPARK_HOME=${SPARK_HOME:-$("$PYTHON" -c 'import os, pyspark; print(os.path.dirname(pyspark.__file__))')}
export SPARK_HOME
exec "$SPARK_HOME/bin/spark-submit" \
    --jars "$jars" --py-files "$code/churnlake.zip" --archives "$archives" \
    --conf spark.pyspark.python="$python" --conf spark.pyspark.driver.python="$driver" \
    --conf spark.eventLog.enabled=true --conf spark.eventLog.dir="$EVENT_LOGS" \
    "${options[@]}" "$program" "$@"
