// Functions of sixteen float32 at a time.

#pragma once

#include <immintrin.h>

#include <initializer_list>

#include <cstdint>

namespace {

enum Activation { GELU = 0, GELU_TANH = 1, RELU = 2 };

using Floats = __m512;
using Ints = __m512i;

constexpr int ZERO = 128;  // the byte that stands for 0

inline Floats all(float x) { return _mm512_set1_ps(x); }

// The larger and the smaller of the two. NaN is passed on: where one is NaN the processor gives the second of them.
inline Floats at_least(float limit, Floats x) { return _mm512_max_ps(all(limit), x); }

inline Floats at_most(float limit, Floats x) { return _mm512_min_ps(all(limit), x); }

// e to the x, to about 1e-7 of it.
inline Floats exponential(Floats x) {
    x = at_least(-87.0f, at_most(88.0f, x));
    const Floats whole =
        _mm512_roundscale_ps(_mm512_mul_ps(x, all(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    Floats rest = _mm512_fnmadd_ps(whole, all(0.693359375f), x);
    rest = _mm512_fnmadd_ps(whole, all(-2.12194440e-4f), rest);
    // Taylor's series about 0, of what is at most ln(2) / 2 away from it.
    Floats sum = all(1.0f / 5040);
    for (const float term : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 1.0f / 2, 1.0f, 1.0f}) {
        sum = _mm512_fmadd_ps(sum, rest, all(term));
    }
    return _mm512_scalef_ps(sum, whole);
}

// The same to about 1e-5 of it, in half the time: for what is rounded to bfloat16 or to bytes.
inline Floats rough_exponential(Floats x) {
    const Floats power = at_least(-126.0f, _mm512_mul_ps(x, all(1.44269504f)));
    const Floats rest = _mm512_reduce_ps(power, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    Floats sum = all(9.6181291e-3f);  // of 2 to the rest
    for (const float term : {5.5504109e-2f, 2.4022651e-1f, 6.9314718e-1f, 1.0f})
        sum = _mm512_fmadd_ps(sum, rest, all(term));
    return _mm512_scalef_ps(sum, _mm512_sub_ps(power, rest));
}

// 1 / x: the processor's estimate, made exact to about 1e-7 of it by a step of Newton's.
inline Floats reciprocal(Floats x) {
    const Floats guess = _mm512_rcp14_ps(x);
    return _mm512_mul_ps(guess, _mm512_fnmadd_ps(x, guess, all(2.0f)));
}

// x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), which is x times a sigmoid.
template <bool is_rough>
inline Floats gelu_tanh(Floats x) {
    const Floats slope = _mm512_fmadd_ps(_mm512_mul_ps(x, x), all(-1.5957691216f * 0.044715f), all(-1.5957691216f));
    const Floats z = _mm512_mul_ps(slope, x);
    if constexpr (is_rough)
        return _mm512_mul_ps(x, _mm512_rcp14_ps(_mm512_add_ps(all(1.0f), rough_exponential(at_most(80.0f, z)))));
    return _mm512_mul_ps(x, reciprocal(_mm512_add_ps(all(1.0f), exponential(z))));
}

// (1 + erf(x / sqrt(2))) / 2; erf by formula 7.1.26 of Abramowitz and Stegun, within 1.5e-7.
inline Floats distribution(Floats x) {
    const Floats size = _mm512_mul_ps(_mm512_abs_ps(x), all(0.70710678f));
    const Floats t = reciprocal(_mm512_fmadd_ps(size, all(0.3275911f), all(1.0f)));
    Floats sum = all(1.061405429f);
    for (const float term : {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f}) {
        sum = _mm512_fmadd_ps(sum, t, all(term));
    }
    const Floats tail =
        _mm512_mul_ps(_mm512_mul_ps(sum, t), exponential(_mm512_mul_ps(_mm512_mul_ps(size, size), all(-1.0f))));
    const Floats half = _mm512_mul_ps(all(0.5f), tail);  // (1 - erf(|x| / sqrt(2))) / 2
    const __mmask16 is_negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
    return _mm512_mask_blend_ps(is_negative, _mm512_sub_ps(all(1.0f), half), half);
}

inline Floats gelu(Floats x) { return _mm512_mul_ps(x, distribution(x)); }

// `is_rough`: as exact as bfloat16 and bytes are.
template <int activation, bool is_rough>
inline Floats activated(Floats x) {
    if constexpr (activation == GELU) return gelu(x);
    if constexpr (activation == GELU_TANH) return gelu_tanh<is_rough>(x);
    return at_least(0, x);
}

// Of GELU by tanh the value, and what it rises by with x.
template <bool is_rough>
inline Floats gelu_tanh_and_slope(Floats x, Floats &slope) {
    const Floats square = _mm512_mul_ps(x, x), twice = all(-1.5957691216f);
    const Floats z = _mm512_mul_ps(_mm512_fmadd_ps(square, all(-1.5957691216f * 0.044715f), twice), x);
    const Floats limited = at_most(80.0f, z);
    const Floats above = _mm512_add_ps(all(1.0f), is_rough ? rough_exponential(limited) : exponential(limited));
    const Floats sigmoid = is_rough ? _mm512_rcp14_ps(above) : reciprocal(above);
    const Floats value = _mm512_mul_ps(x, sigmoid);
    const Floats steepness = _mm512_fmadd_ps(square, all(1.5957691216f * 3 * 0.044715f), all(1.5957691216f));
    slope = _mm512_fmadd_ps(_mm512_mul_ps(value, _mm512_sub_ps(all(1.0f), sigmoid)), steepness, sigmoid);
    return value;
}

// The same of GELU itself, whose slope is its normal distribution and x times the density.
inline Floats gelu_and_slope(Floats x, Floats &slope) {
    const Floats share = distribution(x), half_square = _mm512_mul_ps(_mm512_mul_ps(x, x), all(-0.5f));
    const Floats density = _mm512_mul_ps(all(0.3989422804f), exponential(half_square));
    slope = _mm512_fmadd_ps(x, density, share);
    return _mm512_mul_ps(x, share);
}

// `is_rough`: as in `activated`.
template <int activation, bool is_rough>
inline Floats activated_and_slope(Floats x, Floats &slope) {
    if constexpr (activation == GELU) return gelu_and_slope(x, slope);
    if constexpr (activation == GELU_TANH) return gelu_tanh_and_slope<is_rough>(x, slope);
    const Floats zero = _mm512_setzero_ps();
    slope = _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, zero, _CMP_GT_OQ), zero, all(1.0f));
    return at_least(0, x);
}

// Bytes of which each is worth 1 / `per_step`; what is beyond the largest counts as that.
inline void store_bytes(uint8_t *out, Floats x, Floats per_step) {
    const Ints steps = _mm512_cvtps_epi32(_mm512_mul_ps(x, per_step));
    const Ints above = _mm512_max_epi32(_mm512_add_epi32(steps, _mm512_set1_epi32(ZERO)), _mm512_setzero_si512());
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out), _mm512_cvtusepi32_epi8(above));
}

inline Floats load(const float *x) { return _mm512_loadu_ps(x); }

inline Floats load(const uint16_t *x) {
    const Ints wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(x)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

inline void store(float *out, Floats x) { _mm512_storeu_ps(out, x); }

inline void store(uint16_t *out, Floats x) {
    const __m256bh rounded = _mm512_cvtneps_pbh(x);
    __builtin_memcpy(out, &rounded, sizeof rounded);
}

}  // namespace
