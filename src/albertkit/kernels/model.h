// What is handed over by encoder.py, which lays it out in the same way.
//
// Letters: T tokens, S sequences, P tokens that are wanted, E embedding size, H hidden size.

#pragma once

#include <cstdint>

// To be raised, also in library.py, with each change of what follows, of training.h or of the arguments of a function:
// a library of older sources is refused by it.
constexpr int32_t VERSION = 5;

// The weights of a product in panels of so many outputs and inputs as albertkit_panel_outputs and
// albertkit_panel_inputs say; see encoder.py, which packs them. In int8 the input is unsigned and the weight is signed.
struct Product {
    const int32_t *weight;   // [outputs / those of a panel][inputs / those of a panel][outputs][inputs], int8, bfloat16
                             // or float32
    const int32_t *offset;   // (outputs,) in int8: what stands for the zero of the inputs, 128, taken off each sum
    const float *scale;      // (outputs,) in int8: what a step of the weight is worth
    const float *bias;       // (outputs,)
    const float *smoothing;  // (inputs,) what inputs are multiplied with before they become bytes, or null
    const float *steps;      // (runs,) what a byte of the input is worth in each run; 0: each token has its own
    int32_t inputs, outputs;
};

struct Norm {
    const float *weight, *bias;  // (H,)
};

struct Layer {
    Product query_key_value, dense, ffn, ffn_output;
    Norm attention_norm, final_norm;
};

struct Model {
    Product mapping;
    const Layer *layers;
    const int32_t *layer_of_run;  // (runs,)
    int32_t runs, hidden, inner, heads;
    float epsilon;
    int32_t activation;  // see Activation
};

// The tables of the embeddings, and the norm of their sum; rows are E wide.
struct Embeddings {
    const float *words, *types, *positions;
    Norm norm;
    int32_t width;
    float epsilon;
    int32_t of_words, of_types, of_positions;  // rows of each
};

// A dense layer in float32, as it lies in a checkpoint.
struct Dense {
    const float *weight;  // (outputs, inputs); inputs are a multiple of 32
    const float *bias;    // (outputs,), or null
    int32_t inputs, outputs;
    int32_t has_tanh;  // whether its outputs go through tanh
};

// Some sequences, laid end to end.
struct Batch {
    const float *embeddings;  // (T, E)
    const int32_t *lengths;   // (S,)
    const int32_t *wanted;    // (P,) tokens, from the first of all on, in rising order; null for all
    float *out;               // (P, H), or (T, H)
    int32_t tokens, sequences, outputs;
};

enum LevelNumber { AVX2 = 0, AVX2_VNNI = 1, AVX512 = 2 };

enum Precision { FP32 = 0, BF16 = 1, INT8 = 2 };
