// What is handed over by training.py, which lays it out in the same way.
//
// Letters: T tokens, E embedding size, H hidden size, F feed-forward width.

#pragma once

#include <cstdint>

// The weights of a layer, and their gradients, in the order of the tables below; see TrainedModel.
enum Part {
    QUERY,
    QUERY_BIAS,
    KEY,
    KEY_BIAS,
    VALUE,
    VALUE_BIAS,
    DENSE,
    DENSE_BIAS,
    ATTENTION_NORM,
    ATTENTION_NORM_BIAS,
    FFN,
    FFN_BIAS,
    FFN_OUTPUT,
    FFN_OUTPUT_BIAS,
    FINAL_NORM,
    FINAL_NORM_BIAS,
    PARTS
};

constexpr int OF_MAPPING = 2;  // weight and bias of the mapping from E to H, which come before those of the layers

struct TrainedModel {
    const float *const *weights;  // (OF_MAPPING + layers * PARTS,) float32 as PyTorch keeps them, (outputs, inputs)
    const int32_t *layer_of_run;  // (runs,)
    int32_t layers, runs, embedding, hidden, inner, heads;
    float epsilon;
    int32_t activation;  // see Activation
};

// Memory that the caller gives: what the forward pass keeps for the backward pass, and what either needs meanwhile.
struct Room {
    char *kept, *scratch;
    int64_t kept_size, scratch_size;
};
