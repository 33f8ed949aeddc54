"""Forward, training step and first call in TensorFlow against Transformers' TF model, base size, plain and with XLA.

A first call traces, compiles and runs; what it takes to trace and compile is that less the time of a later call.

Run in the environment of requirements/oracle-tensorflow.txt: python benchmarks/tensorflow_step.py
"""

import argparse
import logging
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
import transformers

import common
from albertkit.config import AlbertConfig
from albertkit.tensorflow.models import TFAlbertForSequenceClassification

BATCH, LENGTH = 8, 128


def ours():
    """Our model as (inputs, training) -> logits, and its weights."""
    model = TFAlbertForSequenceClassification(AlbertConfig.base())

    def logits(inputs, training):
        return model(inputs["input_ids"], inputs["attention_mask"], training=training).logits

    return logits, [variable.value for variable in model.trainable_variables]


def peer():
    """The same of Transformers."""
    config = transformers.AlbertConfig(**AlbertConfig.base().to_diff_dict())
    model = transformers.TFAlbertForSequenceClassification(config)
    model.build_in_name_scope()

    def logits(inputs, training):
        return model(inputs["input_ids"], attention_mask=inputs["attention_mask"], training=training).logits

    return logits, model.trainable_variables


def functions(side, is_xla: bool):
    """A new forward and training step, both under tf.function, with plain gradient descent for the step."""
    logits, variables = side

    @tf.function(jit_compile=is_xla)
    def forward(inputs):
        return logits(inputs, training=False)

    @tf.function(jit_compile=is_xla)
    def train(inputs):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(inputs["labels"], logits(inputs, training=True))
            loss = tf.reduce_mean(losses)
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(1e-6 * tf.convert_to_tensor(gradient))
        return loss

    return {"forward": forward, "train": train}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--first-calls", type=int, default=3)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    rng = np.random.default_rng(0)
    inputs = {
        "input_ids": tf.constant(rng.integers(5, 30000, (BATCH, LENGTH)), tf.int32),
        "attention_mask": tf.ones((BATCH, LENGTH), tf.int32),
        "labels": tf.constant(rng.integers(0, 2, BATCH), tf.int32),
    }
    sides = {"ours": ours(), "peer": peer()}
    ratios, found = {}, {"ours": {}, "peer": {}}
    for is_xla in (False, True):
        mode = " xla" if is_xla else " plain"
        for kind in ("forward", "train"):
            first = {"ours": [], "peer": []}
            for _ in range(options.first_calls):
                ready = {}
                for side, readings in first.items():
                    start = time.perf_counter()
                    ready[side] = functions(sides[side], is_xla)[kind]
                    ready[side](inputs)
                    readings.append(time.perf_counter() - start)
            step = common.in_turn(
                lambda r=ready: r["ours"](inputs).numpy(), lambda r=ready: r["peer"](inputs).numpy(), options.rounds, 2
            )
            ratios[kind + mode] = step["ratio"]
            ratios["first call " + kind + mode] = float(np.median(first["peer"]) / np.median(first["ours"]))
            compiling = {side: float(np.median(first[side])) - step[side] for side in found}
            ratios["trace and compile " + kind + mode] = compiling["peer"] / compiling["ours"]
            for side in found:
                found[side] |= {
                    kind + mode: step[side],
                    "first call " + kind + mode: float(np.median(first[side])),
                    "trace and compile " + kind + mode: compiling[side],
                    "readings " + kind + mode: {"steps": step["readings"][side], "first calls": first[side]},
                }
    packages = ("albertkit", "transformers", "tensorflow-cpu", "keras", "tf-keras")
    common.write("tensorflow_step", ratios, found["ours"], found["peer"], packages)


if __name__ == "__main__":
    main()
