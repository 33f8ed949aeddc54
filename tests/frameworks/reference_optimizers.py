"""LAMB, AdamW and Muon in NumPy, float64 and one tensor at a time: what the optimizers of every framework are held to.

Written from arXiv 1904.00962 (algorithm 2) and arXiv 1711.05101 with the original ALBERT's rules: names that hold
"LayerNorm", "layer_norm" or "bias" are spared from decay and adaptation, decay joins the update before the ratio is
taken, and the moments are not corrected for their start at 0 unless that is asked for. Muon is written from its
authors' description (https://kellerjordan.github.io/posts/muon/) with the scale of arXiv 2502.16982, section 2.2.
"""

import numpy as np

SPARED = ("LayerNorm", "layer_norm", "bias")
MATRICES = ("embedding_hidden_mapping_in.weight", "attention.", "ffn", "pooler.weight", "predictions.dense.weight")
"""Beginnings or ends of what Muon orthogonalizes, where they are not spared."""


def train(optimizer, weights, gradients, rates, *, weight_decay, betas, epsilon, bias_correction):
    """-> the weights after as many steps as there are gradients, each {name: values}."""
    weights = {name: value.astype(np.float64) for name, value in weights.items()}
    first = {name: np.zeros_like(value) for name, value in weights.items()}
    second = {name: np.zeros_like(value) for name, value in weights.items()}
    momentum = {name: np.zeros_like(value) for name, value in weights.items()}
    for step, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        for name, weight in weights.items():
            slope = gradient[name].astype(np.float64)
            first[name] = betas[0] * first[name] + (1 - betas[0]) * slope
            second[name] = betas[1] * second[name] + (1 - betas[1]) * slope**2
            mean, square = first[name], second[name]
            if bias_correction:
                mean, square = mean / (1 - betas[0] ** step), square / (1 - betas[1] ** step)
            update = mean / (np.sqrt(square) + epsilon)
            if optimizer == "muon" and is_matrix(name):
                # The momentum's size does not matter, for the matrix is divided by its norm.
                momentum[name] = 0.95 * momentum[name] + slope
                ahead = slope + 0.95 * momentum[name]
                update = 0.2 * np.sqrt(max(weight.shape)) * orthogonal(ahead)
            if not any(part in name for part in SPARED):
                update = update + weight_decay * weight
                if optimizer == "lamb":
                    update = update * trust_ratio(weight, update)
            weights[name] = weight - rate * update
    return weights


def trust_ratio(weight, update):
    weight_norm, update_norm = np.sqrt((weight**2).sum()), np.sqrt((update**2).sum())
    return weight_norm / update_norm if weight_norm > 0 and update_norm > 0 else 1.0


def is_matrix(name):
    return any(part in name for part in MATRICES) and not any(part in name for part in SPARED)


def orthogonal(matrix):
    """Every singular value s of the matrix, divided by its norm, taken five times to as + bs^3 + cs^5."""
    left, values, right = np.linalg.svd(matrix / (np.linalg.norm(matrix) + 1e-7), full_matrices=False)
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return left @ np.diag(values) @ right
