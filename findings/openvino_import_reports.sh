#!/usr/bin/env bash
# OpenVINO 2026.4.1 with openvino-telemetry 2025.2.0, which pip installs beside it: `import openvino` hands an event to the sender for
# Google Analytics without having asked, where the variable CI is not "true". On Linux the sender forks a process for it, which programs
# with threads of JAX are warned of. With CI=true while it is imported nothing is handed over.
# Seen on 2026-11-30, Python 3.11: "False: 1 event, True: 0 events". The sender is replaced here, so that nothing leaves the machine.
# Matters to: programs that promise to use no network, and programs that must not fork.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check openvino==2026.4.1 openvino-telemetry==2025.2.0 numpy==2.4.6
cd "$folder"
cat > program.py <<'PY'
import time

from openvino_telemetry.backend import backend_ga4

sent = []
backend_ga4.GA4Backend.send = lambda backend, message: sent.append(message)
import openvino

time.sleep(1)  # it is handed over by a thread
print(len(sent))
PY
export HOME="$folder"
unset TF_BUILD JENKINS_URL
without=$(env -u CI "$folder/venv/bin/python" program.py)
with=$(CI=true "$folder/venv/bin/python" program.py)
echo "without CI: $without, with CI=true: $with"
[ "$without" -ge 1 ] && [ "$with" -eq 0 ]
