// Functions of vectors of float32.

#pragma once

#ifdef ALBERTKIT_AVX2
#include "avx2.h"
#else
#include "avx512.h"
#endif

#include <initializer_list>

namespace {

enum Activation { GELU = 0, GELU_TANH = 1, RELU = 2 };

constexpr int ZERO = 128;  // the byte that stands for 0

// The larger and the smaller of the two. NaN is passed on: where one is NaN the processor gives the second of them.
inline Floats at_least(float limit, Floats x) { return larger(all(limit), x); }

inline Floats at_most(float limit, Floats x) { return smaller(all(limit), x); }

// e to the x, to about 1e-7 of it.
inline Floats exponential(Floats x) {
    x = at_least(-87.0f, at_most(88.0f, x));
    const Floats whole = to_whole(x * all(1.44269504f));
    Floats rest = subtract_product(whole, all(0.693359375f), x);
    rest = subtract_product(whole, all(-2.12194440e-4f), rest);
    // Taylor's series about 0, of what is at most ln(2) / 2 away from it.
    Floats sum = all(1.0f / 5040);
    for (const float term : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 1.0f / 2, 1.0f, 1.0f}) {
        sum = multiply_add(sum, rest, all(term));
    }
    return scale_by_power(sum, whole);
}

// The same to about 1e-5 of it, in half the time: for what is rounded to bfloat16 or to bytes.
inline Floats rough_exponential(Floats x) {
    const Floats power = at_least(-126.0f, x * all(1.44269504f)), whole = to_whole(power), rest = power - whole;
    Floats sum = all(9.6181291e-3f);  // of 2 to the rest
    for (const float term : {5.5504109e-2f, 2.4022651e-1f, 6.9314718e-1f, 1.0f})
        sum = multiply_add(sum, rest, all(term));
    return scale_by_power(sum, whole);
}

// To about 1e-7.
inline Floats hyperbolic_tangent(Floats x) {
    return all(1.0f) - all(2.0f) * reciprocal(all(1.0f) + exponential(x + x));
}

// x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), which is x times a sigmoid.
template <bool is_rough>
inline Floats gelu_tanh(Floats x) {
    const Floats slope = multiply_add(x * x, all(-1.5957691216f * 0.044715f), all(-1.5957691216f));
    const Floats z = slope * x;
    if constexpr (is_rough) return x * rough_reciprocal(all(1.0f) + rough_exponential(at_most(80.0f, z)));
    return x * reciprocal(all(1.0f) + exponential(z));
}

// (1 + erf(x / sqrt(2))) / 2; erf by formula 7.1.26 of Abramowitz and Stegun, within 1.5e-7.
inline Floats distribution(Floats x) {
    const Floats size = magnitude(x) * all(0.70710678f);
    const Floats t = reciprocal(multiply_add(size, all(0.3275911f), all(1.0f)));
    Floats sum = all(1.061405429f);
    for (const float term : {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f}) {
        sum = multiply_add(sum, t, all(term));
    }
    const Floats half = all(0.5f) * (sum * t * exponential(size * size * all(-1.0f)));  // (1 - erf(|x| / sqrt(2))) / 2
    return where_negative(x, half, all(1.0f) - half);
}

inline Floats gelu(Floats x) { return x * distribution(x); }

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
    const Floats square = x * x, twice = all(-1.5957691216f);
    const Floats limited = at_most(80.0f, multiply_add(square, all(-1.5957691216f * 0.044715f), twice) * x);
    const Floats above = all(1.0f) + (is_rough ? rough_exponential(limited) : exponential(limited));
    const Floats sigmoid = is_rough ? rough_reciprocal(above) : reciprocal(above);
    const Floats value = x * sigmoid;
    const Floats steepness = multiply_add(square, all(1.5957691216f * 3 * 0.044715f), all(1.5957691216f));
    slope = multiply_add(value * (all(1.0f) - sigmoid), steepness, sigmoid);
    return value;
}

// The same of GELU itself, whose slope is its normal distribution and x times the density.
inline Floats gelu_and_slope(Floats x, Floats &slope) {
    const Floats share = distribution(x), density = all(0.3989422804f) * exponential(x * x * all(-0.5f));
    slope = multiply_add(x, density, share);
    return x * share;
}

// `is_rough`: as in `activated`.
template <int activation, bool is_rough>
inline Floats activated_and_slope(Floats x, Floats &slope) {
    if constexpr (activation == GELU) return gelu_and_slope(x, slope);
    if constexpr (activation == GELU_TANH) return gelu_tanh_and_slope<is_rough>(x, slope);
    slope = where_negative(zeros() - x, all(1.0f), zeros());
    return at_least(0, x);
}

}  // namespace
