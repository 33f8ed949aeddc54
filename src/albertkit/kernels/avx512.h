// Vectors of AVX-512: sixteen float32, or as many words of 32 bits.

#pragma once

#include <immintrin.h>

#include <cstdint>

namespace {

using Floats = __m512;
using Ints = __m512i;

constexpr int WIDTH = 16;  // numbers of a vector
constexpr int ROWS = 12;   // tokens that a tile computes at most: their sums are in 24 of 32 registers

inline Floats all(float x) { return _mm512_set1_ps(x); }
inline Ints all_words(int32_t x) { return _mm512_set1_epi32(x); }
inline Floats zeros() { return _mm512_setzero_ps(); }

inline Floats load(const float *x) { return _mm512_loadu_ps(x); }
inline Ints load_words(const int32_t *x) { return _mm512_loadu_si512(x); }
inline void store(float *out, Floats x) { _mm512_storeu_ps(out, x); }
inline void store_words(int32_t *out, Ints x) { _mm512_storeu_si512(out, x); }

inline Floats multiply_add(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }       // a b + c
inline Floats subtract_product(Floats a, Floats b, Floats c) { return _mm512_fnmadd_ps(a, b, c); }  // c - a b

// The larger and the smaller of two: the second, where one is NaN.
inline Floats larger(Floats a, Floats b) { return _mm512_max_ps(a, b); }
inline Floats smaller(Floats a, Floats b) { return _mm512_min_ps(a, b); }

inline Floats magnitude(Floats x) { return _mm512_abs_ps(x); }
inline Floats to_floats(Ints x) { return _mm512_cvtepi32_ps(x); }
inline float sum_of(Floats x) { return _mm512_reduce_add_ps(x); }
inline float largest_of(Floats x) { return _mm512_reduce_max_ps(x); }

// The larger of two magnitudes, NaN where one is: their bits as whole numbers have the same order, NaN's above all.
inline Floats larger_size(Floats a, Floats b) {
    return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}
inline float largest_size_of(Floats x) {
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(_mm512_reduce_max_epi32(_mm512_castps_si512(x)))));
}

inline Floats to_whole(Floats x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

// x times 2 to a whole number.
inline Floats scale_by_power(Floats x, Floats power) { return _mm512_scalef_ps(x, power); }

// 1 / x: the processor's estimate, and the same made exact to about 1e-7 of it by a step of Newton's.
inline Floats rough_reciprocal(Floats x) { return _mm512_rcp14_ps(x); }
inline Floats reciprocal(Floats x) {
    const Floats guess = rough_reciprocal(x);
    return _mm512_mul_ps(guess, _mm512_fnmadd_ps(x, guess, all(2.0f)));
}

// `a` where x is less than 0, and else `b`.
inline Floats where_negative(Floats x, Floats a, Floats b) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, zeros(), _CMP_LT_OQ), b, a);
}

// The first `count` numbers of a vector, which may be none or more than it has, and `rest` in place of the others.
inline Floats first_of(Floats x, int count, Floats rest) {
    const __mmask16 mask = count >= WIDTH ? 0xffff : count <= 0 ? 0 : __mmask16((1u << count) - 1);
    return _mm512_mask_blend_ps(mask, rest, x);
}

using Byte = uint8_t;  // as inputs of products are kept in int8

// Rounded to whole numbers, moved up by `zero`, and kept within what a byte holds.
inline void store_bytes(Byte *out, Floats x, int zero) {
    // Too large a number would become the least one.
    const Ints moved = _mm512_add_epi32(_mm512_cvtps_epi32(smaller(all(255), x)), all_words(zero));
    const Ints above = _mm512_max_epi32(moved, _mm512_setzero_si512());
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out), _mm512_cvtusepi32_epi8(above));
}

// A vector of the weights of a panel in int8, as `add_bytes` takes it.
inline Ints load_weights(const int8_t *x) { return _mm512_loadu_si512(x); }

// To sums the products of words with words: of four unsigned bytes with four signed ones, of two bfloat16, of float32.
// In assembler, for compilers that are given the same as a function move sums from register to register and into
// memory.
inline void add_bytes(Ints &sum, Ints token, Ints outputs) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(token), "v"(outputs));
}
inline void add_halves(Floats &sum, Ints token, Ints outputs) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(token), "v"(outputs));
}
inline void add_floats(Floats &sum, Ints token, Ints outputs) {
    asm("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(token), "v"(outputs));
}

// 16 x 16 words, turned round. Rows from `rows` on count as 0.
inline void transpose(const int32_t *from, size_t stride, int rows, int32_t *to, size_t to_stride) {
    Ints x[16], y[16];
    for (int row = 0; row < 16; row++)
        x[row] = row < rows ? _mm512_loadu_si512(from + row * stride) : _mm512_setzero_si512();
    for (int i = 0; i < 16; i += 2)
        y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]), y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    for (int i = 0; i < 16; i += 4) {
        x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]), x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
        x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]), x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
    }
    for (int i = 0; i < 16; i += 8) {
        for (int j = 0; j < 4; j++) {
            y[i + j] = _mm512_shuffle_i32x4(x[i + j], x[i + j + 4], 0x88);
            y[i + j + 4] = _mm512_shuffle_i32x4(x[i + j], x[i + j + 4], 0xdd);
        }
    }
    for (int j = 0; j < 8; j++) {
        _mm512_storeu_si512(to + j * to_stride, _mm512_shuffle_i32x4(y[j], y[j + 8], 0x88));
        _mm512_storeu_si512(to + (j + 8) * to_stride, _mm512_shuffle_i32x4(y[j], y[j + 8], 0xdd));
    }
}

// bfloat16, which AVX2 does not have.

inline Floats load(const uint16_t *x) {
    const Ints wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(x)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

inline void store(uint16_t *out, Floats x) {
    const __m256bh rounded = _mm512_cvtneps_pbh(x);
    __builtin_memcpy(out, &rounded, sizeof rounded);
}

// Two rows of 32 bfloat16 -> 32 words of a pair each. Without `is_pair` the second counts as 0.
inline void interleave(const uint16_t *rows, size_t stride, bool is_pair, int32_t *to) {
    alignas(64) static const uint16_t order[32] = {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
                                                   8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
    const Ints one = _mm512_loadu_si512(rows),
               other = is_pair ? _mm512_loadu_si512(rows + stride) : _mm512_setzero_si512();
    const Ints low = _mm512_load_si512(order), high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    _mm512_storeu_si512(to, _mm512_permutex2var_epi16(one, low, other));
    _mm512_storeu_si512(to + 16, _mm512_permutex2var_epi16(one, high, other));
}

}  // namespace
