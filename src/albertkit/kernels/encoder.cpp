// The encoder of ALBERT over sequences laid end to end, for x86-64 processors: in float32, in int8, and in bfloat16
// where the processor multiplies it. It is compiled for several levels of instructions, of which a call names one.
//
// Bytes are multiplied and added up in int32. What lies between the products is float32; queries, keys and values are
// bfloat16 in both lower precisions where there is that. A token's numbers do not depend on what stands beside it, nor
// on the number of threads. Each thread takes sequences of its own through all layers; where there are too few for
// that, all threads share one piece of work and meet after each step.
//
// Letters: T tokens, S sequences, P tokens that are wanted, H hidden size, F feed-forward width, N heads, D head width,
// L length of a sequence, K inputs of a product.

#include "levels.h"

namespace {

const albertkit::Level &level_of(int32_t number) {
    switch (number) {
#ifdef ALBERTKIT_KNOWS_AVX_VNNI
        case AVX2_VNNI: return albertkit::avx2_vnni;
#endif
        case AVX512: return albertkit::avx512;
        default: return albertkit::avx2;
    }
}

// Whether the lengths are those of the tokens, and what is wanted are some of these in rising order: no other numbers
// are safe to go by.
bool is_sound(const Batch &batch) {
    int64_t tokens = 0;
    for (int one = 0; one < batch.sequences; one++) {
        if (batch.lengths[one] < 1) return false;
        tokens += batch.lengths[one];
    }
    for (int one = 0; batch.wanted && one < batch.outputs; one++) {
        const int before = one ? batch.wanted[one - 1] : -1;
        if (batch.wanted[one] <= before || batch.wanted[one] >= batch.tokens) return false;
    }
    return tokens == batch.tokens;
}

}  // namespace

extern "C" {

int32_t albertkit_version() { return VERSION; }

// Whether this processor computes in a precision at a level.
int32_t albertkit_has_precision(int32_t level, int32_t precision) {
    __builtin_cpu_init();
    const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                          __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    if (level == AVX2) return has_avx2 && precision != BF16;
#ifdef ALBERTKIT_KNOWS_AVX_VNNI
    if (level == AVX2_VNNI) return has_avx2 && precision != BF16 && __builtin_cpu_supports("avxvnni");
#endif
    if (level != AVX512) return false;
    switch (precision) {
        case FP32: return has_avx512;
        case BF16: return has_avx512 && __builtin_cpu_supports("avx512bf16");
        default: return has_avx512 && __builtin_cpu_supports("avx512vnni");
    }
}

// The outputs and the inputs of a panel of weights at a level, those that a tile reads at once.
int32_t albertkit_panel_outputs(int32_t level) { return level_of(level).panel_outputs; }

int32_t albertkit_panel_inputs(int32_t level, int32_t precision) {
    switch (precision) {
        case FP32: return 1;
        case BF16: return 2;
        default: return level_of(level).bytes_at_once;
    }
}

// Ids of words, types (null for 0) and positions, (T,) each -> (T, E). 0, or 1 where one is not within its table.
int32_t albertkit_embed(int32_t level, const Embeddings *tables, const int64_t *words, const int64_t *types,
                        const int64_t *positions, int32_t tokens, float *out) {
    return !level_of(level).embed(*tables, words, types, positions, tokens, out);
}

// (R, K) -> (R, N) of a dense layer. 0, or 1 where there was no memory.
int32_t albertkit_dense(int32_t level, const Dense *layer, const float *x, int32_t rows, float *out, int32_t threads) {
    return !level_of(level).dense(*layer, x, rows, out, threads);
}

// 0; 1 where there was no memory, 2 where the numbers of the batch do not fit each other.
int32_t albertkit_encode(int32_t level, const Model *model, const Batch *batch, int32_t precision, int32_t threads) {
    if (!is_sound(*batch)) return 2;
    if (!batch->tokens) return 0;
    return !level_of(level).encode(*model, *batch, Precision(precision), threads);
}
}
