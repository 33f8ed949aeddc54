// Numbers laid out as tiles read them, and matrices turned round.
//
// Letters: R rows, C columns, a multiple of 32; a word holds two bfloat16 or one float32.

#pragma once

#include "tiles.h"

#include <algorithm>

namespace {

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

// A row of 32 float32 is words already.
inline void interleave(const float *row, size_t, bool, int32_t *to) {
    _mm512_storeu_si512(to, _mm512_loadu_si512(row));
    _mm512_storeu_si512(to + 16, _mm512_loadu_si512(row + 16));
}

template <class Number>
inline int words_of(int numbers) {
    constexpr int per_word = 4 / sizeof(Number);
    return (numbers + per_word - 1) / per_word;
}

// (R, C) -> [R / 32][C words][32], for products that add up over columns; rows up to whole panels are 0.
template <class Number>
inline void panels_of_rows(const Number *x, size_t stride, int rows, int columns, int32_t *out) {
    constexpr int per_word = 4 / sizeof(Number);
    const int words = columns / per_word;
    for (int at = 0; at < rows; at += PANEL, out += size_t(words) * PANEL) {
        for (int half = 0; half < PANEL; half += 16) {
            const int count = std::max(std::min(rows - at - half, 16), 0);
            for (int word = 0; word < words; word += 16) {
                const auto *from = reinterpret_cast<const int32_t *>(x + (at + half) * stride) + word;
                transpose(from, stride / per_word, count, out + word * PANEL + half, PANEL);
            }
        }
    }
}

// (R, C) -> [C / 32][R words][32], for products that add up over rows.
//
// Some panels at a time, so that what the cache fetches of a row is used up before the next.
template <class Number>
inline void panels_of_columns(const Number *x, size_t stride, int rows, int columns, int32_t *out) {
    constexpr int per_word = 4 / sizeof(Number), together = 8 * PANEL;
    const size_t panel = size_t(words_of<Number>(rows)) * PANEL;
    for (int first = 0; first < columns; first += together) {
        int32_t *to = out + first / PANEL * panel;
        const int last = std::min(first + together, columns);
        for (int row = 0; row < rows; row += per_word, to += PANEL) {
            for (int column = first; column < last; column += PANEL) {
                interleave(x + row * stride + column, stride, row + 1 < rows, to + (column - first) / PANEL * panel);
            }
        }
    }
}

// (R, C) -> (C, R), where `out_stride` has place for R up to a multiple of 32; what is beyond R is 0.
template <class Number>
inline void turn(const Number *x, size_t stride, int rows, int columns, Number *out, size_t out_stride) {
    constexpr int per_word = 4 / sizeof(Number), height = 16 * per_word;
    alignas(64) int32_t words[16][PANEL];
    for (int row = 0; row < rows; row += height) {
        for (int column = 0; column < columns; column += PANEL) {
            const int count = words_of<Number>(std::min(rows - row, height));
            for (int one = 0; one < count; one++) {
                const int first = row + one * per_word;
                interleave(x + first * stride + column, stride, first + 1 < rows, words[one]);
            }
            for (int half = 0; half < PANEL; half += 16) {
                auto *to = reinterpret_cast<int32_t *>(out + (column + half) * out_stride + row);
                transpose(words[0] + half, PANEL, count, to, out_stride / per_word);
            }
        }
    }
}

}  // namespace
