"""The heads of ALBERT in NumPy: what each gives for the last hidden states, by the names of `albertkit.outputs`.

Letters: B batch, L sequence length, H hidden size, V vocabulary, C classes, K starts, M ends for each, P positions.
"""

from collections.abc import Callable

import numpy as np

from albertkit import rules
from albertkit.backends import Outputs
from albertkit.batches import PaddedBatch
from albertkit.numpy.encoder import Weights, softmax

Head = Callable[[Weights, np.ndarray, PaddedBatch], Outputs]
"""Weights, last hidden states (B, L, H) and the batch that they are of -> outputs."""


def pooler(weights: Weights, states: np.ndarray) -> np.ndarray:
    """(B, L, H) -> (B, H), the tanh of a dense layer over the first token."""
    return np.tanh(weights.dense("albert.pooler", states[:, 0]))


def predictions(weights: Weights, states: np.ndarray) -> np.ndarray:
    """(..., H) -> (..., V), the scores of the masked language model."""
    inner = weights.activation(weights.dense("predictions.dense", states))
    decoder = weights["predictions.decoder.weight"], weights["predictions.bias"]
    return weights.product(*decoder, weights.norm("predictions.LayerNorm", inner))


def _model(weights: Weights, states: np.ndarray, batch: PaddedBatch) -> Outputs:
    return {"last_hidden_state": states, "pooler_output": pooler(weights, states)}


def _pretraining(weights: Weights, states: np.ndarray, batch: PaddedBatch) -> Outputs:
    order = weights.dense("sop_classifier.classifier", pooler(weights, states))
    return {"prediction_logits": predictions(weights, states), "sop_logits": order}


def _masked_lm(weights: Weights, states: np.ndarray, batch: PaddedBatch) -> Outputs:
    return {"logits": predictions(weights, states)}


def _sequence(weights: Weights, states: np.ndarray, batch: PaddedBatch) -> Outputs:
    return {"logits": weights.dense("classifier", pooler(weights, states))}


def _choice(weights: Weights, states: np.ndarray, batch: PaddedBatch) -> Outputs:
    return {"logits": weights.dense("classifier", pooler(weights, states))[:, 0]}


def _token(weights: Weights, states: np.ndarray, batch: PaddedBatch) -> Outputs:
    return {"logits": weights.dense("classifier", states)}


def _answer(weights: Weights, states: np.ndarray, batch: PaddedBatch) -> Outputs:
    scores = weights.dense("qa_outputs", states)
    return {"start_logits": scores[..., 0], "end_logits": scores[..., 1]}


def _sentence(weights: Weights, states: np.ndarray, batch: PaddedBatch) -> Outputs:
    """Mean or maximum over the tokens of each text, or the first; without special tokens, [CLS] and [SEP] left out."""
    config, mask = weights.config, batch.attention_mask
    is_token = np.ones(states.shape[:2], bool) if mask is None else mask > 0
    place = is_token.cumsum(1) * is_token  # 1 for the first token, 0 for padding
    counted = place == 1 if config.sentence_pooling == "cls" else place > 0
    if config.sentence_pooling != "cls" and not config.sentence_special_tokens:
        counted = (place > 1) & (place < place.max(1, keepdims=True))
    if config.sentence_pooling == "max":
        largest = np.where(counted[..., None], states, np.finfo(np.float32).min).max(1)
        return {"sentence_embedding": np.where(counted.any(1, keepdims=True), largest, 0)}
    count = np.maximum(counted.sum(1, keepdims=True), 1).astype(np.float32)
    return {"sentence_embedding": (states * counted[..., None]).sum(1) / count}


def _answer_beams(weights: Weights, states: np.ndarray, batch: PaddedBatch) -> Outputs:
    """The best starts and ends of an answer with their log probabilities, and the log odds of there being none."""
    closed, config = _closed(batch), weights.config
    starts = np.where(closed, np.float32(rules.NO_SCORE), weights.dense("start_logits.dense", states)[..., 0])
    likely = np.einsum("bl,blh->bh", softmax(starts), states)
    none = np.tanh(weights.dense("answer_class.dense_0", np.concatenate([likely, states[:, 0]], -1)))
    values, places = _top(_log_softmax(starts), config.start_n_top)
    begun = np.take_along_axis(states, places[..., None], 1)
    pairs = np.concatenate(np.broadcast_arrays(states[:, None], begun[:, :, None]), -1)
    inner = weights.norm("end_logits.LayerNorm", np.tanh(weights.dense("end_logits.dense_0", pairs)))
    ends = weights.dense("end_logits.dense_1", inner)[..., 0]
    ends = np.where(closed[:, None], np.float32(rules.NO_SCORE), ends)
    end_values, end_places = _top(_log_softmax(ends), config.end_n_top)
    rows = len(states)
    return {
        "start_top_log_probs": values,
        "start_top_index": places.astype(np.float32),
        "end_top_log_probs": end_values.reshape(rows, -1),
        "end_top_index": end_places.reshape(rows, -1).astype(np.float32),
        "cls_logits": weights.dense("answer_class.dense_1", none)[:, 0],
    }


def _closed(batch: PaddedBatch) -> np.ndarray:
    """(B, L) true where no answer stands: but for [CLS], outside the second text, its last token [SEP], and padding."""
    closed = np.zeros(batch.input_ids.shape, bool)
    if batch.token_type_ids is not None:
        second = batch.token_type_ids == 1
        closed[:, 1:] = True
        closed[:, 1:-1] = ~(second[:, 1:-1] & second[:, 2:])
    mask = batch.attention_mask
    return closed | (mask == 0) if mask is not None and mask.ndim == 2 else closed


def _top(scores: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest of the last axis and their places, best first: of equal ones the first."""
    places = np.argsort(-scores, axis=-1, kind="stable")[..., :count]
    return np.take_along_axis(scores, places, -1), places


def _log_softmax(scores: np.ndarray) -> np.ndarray:
    shifted = scores - scores.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


HEADS: dict[str, Head] = {
    "Model": _model,
    "ForPreTraining": _pretraining,
    "ForMaskedLM": _masked_lm,
    "ForSequenceClassification": _sequence,
    "ForMultipleChoice": _choice,
    "ForTokenClassification": _token,
    "ForQuestionAnswering": _answer,
    "ForQuestionAnsweringBeamSearch": _answer_beams,
    "ForSentenceEmbedding": _sentence,
}
"""By the keys of `weight_table.PARTS`."""
