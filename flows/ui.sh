# A local Prefect server and the demo as a run to look at; everything it writes lies below data/runs.
set -eu
export PREFECT_HOME="$PWD/data/runs/prefect" DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
url="http://127.0.0.1:$UI_PORT"
export PREFECT_SERVER_UI_API_URL="$url/api"
"$BIN/prefect" server start --host 127.0.0.1 --port "$UI_PORT" >/dev/null &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true' EXIT INT TERM
"$BIN/python" - "$url/api/health" <<'PYTHON'
import sys, time, urllib.request
for _ in range(120):
    try:
        urllib.request.urlopen(sys.argv[1], timeout=1).close()
        break
    except OSError:
        time.sleep(0.5)
else:
    sys.exit("Prefect's server did not answer; is the port taken? make UI_PORT=4201 ui")
PYTHON
PREFECT_API_URL="$url/api" "$BIN/bulkload" demo
echo "look at $url/runs; Ctrl-C stops the server"
wait "$server"
