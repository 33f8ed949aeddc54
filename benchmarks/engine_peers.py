"""Transformers' own model as OpenVINO int8, as its exporter makes it: NNCF's post-training quantisation.

Run in the environment of requirements/engine_peers.txt: python benchmarks/engine_peers.py FOLDER ROWS.json
Writes openvino_int8.xml into the folder of the model.
"""

import json
import sys
from pathlib import Path

import nncf
import openvino
import torch
from transformers import AlbertForSequenceClassification

from engine_side import padded


class _Logits(torch.nn.Module):
    def __init__(self, model: AlbertForSequenceClassification) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def main() -> None:
    folder, file = sys.argv[1:]
    model = AlbertForSequenceClassification.from_pretrained(folder, attn_implementation="sdpa").eval()
    batches = list(padded(json.loads(Path(file).read_text())[:128]))
    free = {name: openvino.PartialShape([-1, -1]) for name in batches[0]}
    with torch.no_grad():
        converted = openvino.convert_model(_Logits(model), example_input=batches[0], input=list(free.items()))
    data = nncf.Dataset([{name: tensor.numpy() for name, tensor in batch.items()} for batch in batches])
    transformer = nncf.ModelType.TRANSFORMER
    quantized = nncf.quantize(converted, data, model_type=transformer, subset_size=len(batches))
    openvino.save_model(quantized, Path(folder) / "openvino_int8.xml")


if __name__ == "__main__":
    main()
