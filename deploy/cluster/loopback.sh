#!/usr/bin/env bash
# A Spark standalone cluster on this machine's loopback, to try and to test on: loopback.sh start FOLDER [WORKERS] prints its URL; loopback.sh stop FOLDER.
# Master and workers are the classes of the installed pyspark. FOLDER keeps logs, and a file of the process id for each: NAME.pid; a process leads a
# group of its own, so that kill -9 -- -ID ends a worker together with its executors.
set -euo pipefail
PYTHON=${PYTHON:-python3}
CORES=${CORES:-1}           # of each worker
MEMORY=${MEMORY:-2g}        # of each worker, for its executors

started() { # NAME CLASS ARGUMENT...: a process of the cluster
    local name=$1
    shift
    setsid "$SPARK_HOME/bin/spark-class" "$@" >"$folder/$name.log" 2>&1 </dev/null &
    echo $! >"$folder/$name.pid"
}

told() { # FILE WORDS...: waits until the log says so, for half a minute
    local file=$1
    shift
    for _ in $(seq 150); do
        grep -oE "$*" "$file" && return
        sleep 0.2
    done
    echo "loopback.sh: no '$*' in $file within 30 s; look into it" >&2
    return 1
}

start() {
    folder=$1
    mkdir -p "$folder"
    SPARK_HOME=$("$PYTHON" -c 'import os, pyspark; print(os.path.dirname(pyspark.__file__))')
    export SPARK_HOME SPARK_DAEMON_MEMORY=${SPARK_DAEMON_MEMORY:-256m} SPARK_LOCAL_IP=127.0.0.1
    started master org.apache.spark.deploy.master.Master --host 127.0.0.1 --port 0 --webui-port 0
    local url worker
    url=$(told "$folder/master.log" 'spark://127\.0\.0\.1:[0-9]+' | head -1)
    for worker in $(seq "${2:-2}"); do
        started "worker$worker" org.apache.spark.deploy.worker.Worker --host 127.0.0.1 --webui-port 0 --cores "$CORES" --memory "$MEMORY" \
            --work-dir "$folder/worker$worker" "$url"
    done
    for worker in $(seq "${2:-2}"); do
        told "$folder/worker$worker.log" 'Successfully registered with master' >/dev/null
    done
    echo "$url"
}

stop() {
    local file
    for file in "$1"/*.pid; do
        [ -e "$file" ] || continue
        kill -- -"$(cat "$file")" 2>/dev/null || true # gone already: killed by a test
        rm "$file"
    done
}

case "${1:-}" in
start) start "$(mkdir -p "$2" && cd "$2" && pwd)" "${3:-2}" ;;
stop) stop "$2" ;;
*)
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
    ;;
esac
