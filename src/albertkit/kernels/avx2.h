// Vectors of AVX2 with FMA: eight float32, or as many words of 32 bits. What they do is said in avx512.h.
//
// With ALBERTKIT_AVX_VNNI bytes are multiplied by AVX-VNNI, and else as integers of 16 bits: instructions of AVX2 for
// bytes add up two products in 16 bits, which do not hold them.

#pragma once

#include <immintrin.h>

#include <cstdint>

namespace {

using Floats = __m256;
using Ints = __m256i;

constexpr int WIDTH = 8;
constexpr int ROWS = 6;  // their sums are in 12 of 16 registers

inline Floats all(float x) { return _mm256_set1_ps(x); }
inline Ints all_words(int32_t x) { return _mm256_set1_epi32(x); }
inline Floats zeros() { return _mm256_setzero_ps(); }

inline Floats load(const float *x) { return _mm256_loadu_ps(x); }
inline Ints load_words(const int32_t *x) { return _mm256_loadu_si256(reinterpret_cast<const Ints *>(x)); }
inline void store(float *out, Floats x) { _mm256_storeu_ps(out, x); }
inline void store_words(int32_t *out, Ints x) { _mm256_storeu_si256(reinterpret_cast<Ints *>(out), x); }

inline Floats multiply_add(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
inline Floats subtract_product(Floats a, Floats b, Floats c) { return _mm256_fnmadd_ps(a, b, c); }

inline Floats larger(Floats a, Floats b) { return _mm256_max_ps(a, b); }
inline Floats smaller(Floats a, Floats b) { return _mm256_min_ps(a, b); }

inline Floats magnitude(Floats x) { return _mm256_andnot_ps(all(-0.0f), x); }
inline Floats to_floats(Ints x) { return _mm256_cvtepi32_ps(x); }

inline float sum_of(Floats x) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

inline float largest_of(Floats x) {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

inline Floats larger_size(Floats a, Floats b) {
    return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}

inline float largest_size_of(Floats x) {
    const Ints words = _mm256_castps_si256(x);
    const __m128i four = _mm_max_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    const __m128i two = _mm_max_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_max_epi32(two, _mm_shuffle_epi32(two, 1))));
}

inline Floats to_whole(Floats x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

// For powers of -126 to 127.
inline Floats scale_by_power(Floats x, Floats power) {
    const Ints exponent = _mm256_add_epi32(_mm256_cvtps_epi32(power), all_words(127));
    return _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}

// Divided, for estimates differ from maker to maker, and a division waits for nothing else.
inline Floats reciprocal(Floats x) { return _mm256_div_ps(all(1.0f), x); }
inline Floats rough_reciprocal(Floats x) { return reciprocal(x); }

inline Floats where_negative(Floats x, Floats a, Floats b) {
    return _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, zeros(), _CMP_LT_OQ));
}

inline Floats first_of(Floats x, int count, Floats rest) {
    const Ints is_first = _mm256_cmpgt_epi32(all_words(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    return _mm256_blendv_ps(rest, x, _mm256_castsi256_ps(is_first));
}

// Eight numbers of 16 bits, rounded to what a byte holds.
inline __m128i to_bytes(Floats x, int zero) {
    // Too large a number would become the least one.
    const Ints moved = _mm256_add_epi32(_mm256_cvtps_epi32(smaller(all(255), x)), all_words(zero));
    const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(moved), _mm256_extracti128_si256(moved, 1));
    return _mm_max_epi16(_mm_min_epi16(halves, _mm_set1_epi16(255)), _mm_setzero_si128());
}

#ifdef ALBERTKIT_AVX_VNNI

using Byte = uint8_t;

inline void store_bytes(Byte *out, Floats x, int zero) {
    const __m128i bytes = to_bytes(x, zero);
    _mm_storel_epi64(reinterpret_cast<__m128i *>(out), _mm_packus_epi16(bytes, bytes));
}

inline Ints load_weights(const int8_t *x) { return _mm256_loadu_si256(reinterpret_cast<const Ints *>(x)); }

inline void add_bytes(Ints &sum, Ints token, Ints outputs) {
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(token), "x"(outputs));
}

#else

using Byte = int16_t;

inline void store_bytes(Byte *out, Floats x, int zero) {
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out), to_bytes(x, zero));
}

inline Ints load_weights(const int8_t *x) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i *>(x)));
}

inline void add_bytes(Ints &sum, Ints token, Ints outputs) {
    Ints both;
    asm("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(both) : "x"(token), "x"(outputs));
}

#endif

inline void add_floats(Floats &sum, Ints token, Ints outputs) {
    asm("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(token), "x"(outputs));
}

// 8 x 8 words.
inline void transpose(const int32_t *from, size_t stride, int rows, int32_t *to, size_t to_stride) {
    Ints x[8], y[8];
    for (int row = 0; row < 8; row++) x[row] = row < rows ? load_words(from + row * stride) : _mm256_setzero_si256();
    for (int i = 0; i < 8; i += 2)
        y[i] = _mm256_unpacklo_epi32(x[i], x[i + 1]), y[i + 1] = _mm256_unpackhi_epi32(x[i], x[i + 1]);
    for (int i = 0; i < 8; i += 4) {
        x[i] = _mm256_unpacklo_epi64(y[i], y[i + 2]), x[i + 1] = _mm256_unpackhi_epi64(y[i], y[i + 2]);
        x[i + 2] = _mm256_unpacklo_epi64(y[i + 1], y[i + 3]), x[i + 3] = _mm256_unpackhi_epi64(y[i + 1], y[i + 3]);
    }
    for (int j = 0; j < 4; j++) {
        store_words(to + j * to_stride, _mm256_permute2x128_si256(x[j], x[j + 4], 0x20));
        store_words(to + (j + 4) * to_stride, _mm256_permute2x128_si256(x[j], x[j + 4], 0x31));
    }
}

}  // namespace
