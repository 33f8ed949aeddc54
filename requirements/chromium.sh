#!/usr/bin/env bash
# Chromium from the system's packages, if there is none yet. Where apt cannot install it, says how it is to be had.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then exit 0; fi
done

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo --non-interactive); fi

install() {
  "${as_root[@]}" apt-get update --quiet=2 || true # lists that are a little old will do
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends chromium >/dev/null
}

if command -v apt-get >/dev/null && install; then exit 0; fi

echo "Tests of the server's page need Chromium, and it could not be installed. Install chromium or google-chrome by the" >&2
echo "means of your system, such as: sudo apt-get install chromium. Without it these tests are skipped." >&2
if [ "${ALBERTKIT_BROWSER:-}" = required ]; then exit 1; fi
