"""Transformers' own model as OpenVINO int8 by NNCF's post-training quantisation, converted in two ways.

Run in the environment of requirements/engine_peers.txt: python benchmarks/engine_peers.py FOLDER ROWS.json
Writes into the folder of the model openvino_int8.xml, which OpenVINO's `convert_model` traces, and exporter_int8.xml,
by the exporter of Transformers and its own quantiser, both as they are by default.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import nncf
import openvino
import torch
from transformers import AlbertForSequenceClassification
from transformers.exporters import NNCFOpenVINOQuantizer, OpenVINOConfig, OpenVINOExporter

from engine_side import padded

Batches = Sequence[dict[str, torch.Tensor]]


class _Logits(torch.nn.Module):
    def __init__(self, model: AlbertForSequenceClassification) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def converted(model: AlbertForSequenceClassification, batches: Batches) -> openvino.Model:
    """By OpenVINO and NNCF themselves."""
    free = {name: openvino.PartialShape([-1, -1]) for name in batches[0]}
    with torch.no_grad():
        traced = openvino.convert_model(_Logits(model), example_input=batches[0], input=list(free.items()))
    data = nncf.Dataset([{name: tensor.numpy() for name, tensor in batch.items()} for batch in batches])
    return nncf.quantize(traced, data, model_type=nncf.ModelType.TRANSFORMER, subset_size=len(batches))


def exported(model: AlbertForSequenceClassification, batches: Batches) -> openvino.Model:
    """By Transformers' exporter."""
    quantizer = NNCFOpenVINOQuantizer(calibration_dataset=batches)
    config = OpenVINOConfig(dynamic=True, quantizer=quantizer)
    return OpenVINOExporter().export(model, dict(batches[0]), config=config).program


def main() -> None:
    folder, file = Path(sys.argv[1]), sys.argv[2]
    model = AlbertForSequenceClassification.from_pretrained(folder, attn_implementation="sdpa").eval()
    batches = list(padded(json.loads(Path(file).read_text())[:128]))
    openvino.save_model(converted(model, batches), folder / "openvino_int8.xml")
    openvino.save_model(exported(model, batches), folder / "exporter_int8.xml", compress_to_fp16=False)


if __name__ == "__main__":
    main()
