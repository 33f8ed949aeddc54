"""Write golden.npz: what Transformers' PyTorch models give for the models and batches of tests/frameworks/common.py.

Run in the environment of requirements/oracle.txt, from the root of the project: python tests/data/make_golden.py
"""

import sys
from pathlib import Path

import numpy as np
import torch
import transformers

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from frameworks import common  # noqa: E402


def peer(head: str, axis: str) -> torch.nn.Module:
    config = common.small(**common.AXES[axis])
    settings = {**common.SMALL, **common.AXES[axis]}
    model = getattr(transformers, f"Albert{head}")._from_config(
        transformers.AlbertConfig(**settings), attn_implementation="eager"
    )
    prefix = "albert." if head == "Model" else ""
    tensors = {
        name.removeprefix(prefix): torch.from_numpy(value.copy())
        for name, value in common.random_tensors(config, head).items()
    }
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert not missing
    assert not unexpected
    model.tie_weights()
    return model.train()


def golden(head: str, axis: str) -> dict[str, np.ndarray]:
    model = peer(head, axis)
    inputs = {name: torch.from_numpy(array) for name, array in common.batch(head).items()}
    outputs = model(**inputs)
    found = {name: value.detach().numpy() for name, value in outputs.items()}
    if "loss" in outputs:
        outputs.loss.backward()
        prefix = "albert." if head == "Model" else ""
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                found[f"gradient/{prefix}{name}"] = parameter.grad.numpy()
    return found


def main() -> None:
    # Every head once, and every axis on the head that uses most of a model.
    cases = [(head, "plain") for head in common.PEERS] + [("ForPreTraining", axis) for axis in common.AXES]
    arrays = {
        f"{head}/{axis}/{name}": value
        for head, axis in dict.fromkeys(cases)
        for name, value in golden(head, axis).items()
    }
    np.savez_compressed(Path(__file__).with_name("golden.npz"), **arrays)


if __name__ == "__main__":
    main()
