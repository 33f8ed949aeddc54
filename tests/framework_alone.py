"""Prove that one framework works where only its own extra is installed. Run by `make frameworks`.

python tests/framework_alone.py torch|tensorflow|flax
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import albertkit
from albertkit import AlbertConfig, AlbertTokenizerFast, backends
from albertkit.pipelines import pipeline

DATA = Path(__file__).parent / "data"
TEXTS = ["The story is gripping.", "The plot is dull."]
SMALL = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64, "num_hidden_layers": 2}


def answers_with_the_command(framework: str) -> bool:
    """Whether a class of a framework that is absent says how to install it."""
    try:
        getattr(albertkit, f"{backends.PREFIXES[framework]}Model")
    except ImportError as error:
        return str(error).endswith(f'Install it with: pip install "albertkit[{framework}]"')
    return False


def main(framework: str) -> None:
    assert backends.installed() == [framework], backends.installed()
    assert all(answers_with_the_command(other) for other in backends.PACKAGES if other != framework)
    tokenizer = AlbertTokenizerFast(DATA / "spiece.model")
    config = AlbertConfig(vocab_size=len(tokenizer), embedding_size=16, max_position_embeddings=64, **SMALL)
    model = getattr(albertkit, f"{backends.PREFIXES[framework]}ForSequenceClassification")(config)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        again = type(model).from_pretrained(folder)
        batch = tokenizer(
            TEXTS, padding=True, return_tensors={"torch": "pt", "tensorflow": "tf", "flax": "jax"}[framework]
        )
        logits = again(**batch).logits
        logits = np.asarray(logits.detach() if framework == "torch" else logits)
        found = [row["logits"] for row in pipeline("text-classification", folder).outputs(TEXTS)]
    np.testing.assert_allclose(found, logits, atol=1e-5)
    sys.stdout.write(f"{framework}: built, saved, loaded and answered with nothing else installed\n")


if __name__ == "__main__":
    main(sys.argv[1])
