// The loss of scores over classes, and its gradient in their place.
//
// Letters: M rows, V classes.

#pragma once

#include <cmath>

#include "floats.h"

namespace {

inline Floats load_some(const float *x, __mmask16 mask, float rest) { return _mm512_mask_loadu_ps(all(rest), mask, x); }

inline Floats load_some(const uint16_t *x, __mmask16 mask, float rest) {
    const Ints wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, x));
    return _mm512_mask_blend_ps(mask, all(rest), _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16)));
}

inline void store_some(float *out, __mmask16 mask, Floats x) { _mm512_mask_storeu_ps(out, mask, x); }

inline void store_some(uint16_t *out, __mmask16 mask, Floats x) {
    const __m256bh rounded = _mm512_cvtneps_pbh(x);
    __m256i bits;
    __builtin_memcpy(&bits, &rounded, sizeof bits);
    _mm256_mask_storeu_epi16(out, mask, bits);
}

// Of one row (V,): probabilities, less 1 at the label. `exponentials` is (V,) for the meantime. -> the loss
template <class Number>
float cross_entropy(Number *scores, int64_t classes, int64_t label, float *exponentials) {
    auto mask_at = [&](int64_t at) {
        return classes - at >= 16 ? __mmask16(0xffff) : __mmask16((1u << (classes - at)) - 1);
    };
    Floats largest = all(-INFINITY), sums = _mm512_setzero_ps();
    for (int64_t at = 0; at < classes; at += 16) {
        largest = _mm512_max_ps(largest, load_some(scores + at, mask_at(at), -INFINITY));
    }
    const Floats top = all(_mm512_reduce_max_ps(largest));
    for (int64_t at = 0; at < classes; at += 16) {
        const __mmask16 mask = mask_at(at);
        const Floats below = _mm512_sub_ps(load_some(scores + at, mask, 0), top);
        const Floats found =
            _mm512_maskz_mov_ps(mask, sizeof(Number) == 2 ? rough_exponential(below) : exponential(below));
        sums = _mm512_add_ps(sums, found);
        store_some(exponentials + at, mask, found);
    }
    const float sum = _mm512_reduce_add_ps(sums), most = _mm512_cvtss_f32(top);
    const float own = _mm512_cvtss_f32(load_some(scores + label, 1, 0));
    for (int64_t at = 0; at < classes; at += 16) {
        const __mmask16 mask = mask_at(at);
        store_some(scores + at, mask, _mm512_mul_ps(load_some(exponentials + at, mask, 0), all(1 / sum)));
    }
    store_some(scores + label, 1, all(exponentials[label] / sum - 1));
    return most + std::log(sum) - own;
}

}  // namespace
