#!/usr/bin/env bash
# PyTorch 2.13.0: torch.load does not compare the checksums of a file that torch.save has written. A single flipped bit in
# a tensor comes back as another number, without an error or a warning, while Python's zipfile names the damaged record of the
# same file. (torch.save writes right checksums unless told otherwise.)
# Seen on 2026-11-29, Python 3.11, CPU: 1.0 comes back as 1.0000001192092896; testzip() answers "weights/data/0".
# Matters to: whoever copies or downloads pytorch_model.bin files and takes a successful load for a whole file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import zipfile
from pathlib import Path

import torch

file = Path("weights.bin")
torch.save({"w": torch.ones(1000)}, file)
assert zipfile.ZipFile(file).testzip() is None
content = bytearray(file.read_bytes())
content[content.index(torch.ones(8).numpy().tobytes())] ^= 1
file.write_bytes(content)
value = torch.load(file, weights_only=True)["w"][0].item()
damaged = zipfile.ZipFile(file).testzip()
print(f"loaded: {value!r}; damaged record by the checksums in the file: {damaged}")
assert value == 1.0000001192092896, "the damage is no longer loaded in silence"
assert damaged == "weights/data/0", "the file no longer carries a checksum of its tensor"
PY
