// The encoder as it is compiled for each level of instructions.
//
// Letters: T tokens, E embedding size.

#pragma once

#include "model.h"

namespace albertkit {

struct Level {
    int panel_outputs, bytes_at_once;  // see albertkit_panel_outputs and albertkit_panel_inputs
    // Whether there was memory. For a precision that the processor has.
    bool (*encode)(const Model &model, const Batch &batch, Precision precision, int threads);
    // See albertkit_embed.
    bool (*embed)(const Embeddings &tables, const int64_t *words, const int64_t *types, const int64_t *positions,
                  int tokens, float *out);
    // See albertkit_dense.
    bool (*dense)(const Dense &layer, const float *x, int rows, float *out, int threads);
};

extern const Level avx2, avx2_vnni, avx512;

}  // namespace albertkit

#if defined(__clang__) || __GNUC__ >= 11  // older ones come with assemblers that do not know AVX-VNNI
#define ALBERTKIT_KNOWS_AVX_VNNI
#endif
