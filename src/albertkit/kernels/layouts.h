// Numbers laid out as tiles read them, and matrices turned round.
//
// Letters: R rows, C columns, a multiple of P, the outputs of a panel; a word holds two bfloat16 or one float32.

#pragma once

#include "tiles.h"

#include <algorithm>

namespace {

// A row of P float32 is words already.
inline void interleave(const float *row, size_t, bool, int32_t *to) {
    auto *out = reinterpret_cast<float *>(to);
    store(out, load(row)), store(out + WIDTH, load(row + WIDTH));
}

template <class Number>
inline int words_of(int numbers) {
    constexpr int per_word = 4 / sizeof(Number);
    return (numbers + per_word - 1) / per_word;
}

// (R, C) -> [R / P][C words][P], for products that add up over columns; rows up to whole panels are 0.
template <class Number>
inline void panels_of_rows(const Number *x, size_t stride, int rows, int columns, int32_t *out) {
    constexpr int per_word = 4 / sizeof(Number);
    const int words = columns / per_word;
    for (int at = 0; at < rows; at += PANEL, out += size_t(words) * PANEL) {
        for (int half = 0; half < PANEL; half += WIDTH) {
            const int count = std::max(std::min(rows - at - half, WIDTH), 0);
            for (int word = 0; word < words; word += WIDTH) {
                const auto *from = reinterpret_cast<const int32_t *>(x + (at + half) * stride) + word;
                transpose(from, stride / per_word, count, out + word * PANEL + half, PANEL);
            }
        }
    }
}

// (R, C) -> [C / P][R words][P], for products that add up over rows.
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

// (R, C) -> (C, R), where `out_stride` has place for R up to a multiple of P; what is beyond R is 0.
template <class Number>
inline void turn(const Number *x, size_t stride, int rows, int columns, Number *out, size_t out_stride) {
    constexpr int per_word = 4 / sizeof(Number), height = WIDTH * per_word;
    alignas(64) int32_t words[WIDTH][PANEL];
    for (int row = 0; row < rows; row += height) {
        for (int column = 0; column < columns; column += PANEL) {
            const int count = words_of<Number>(std::min(rows - row, height));
            for (int one = 0; one < count; one++) {
                const int first = row + one * per_word;
                interleave(x + first * stride + column, stride, first + 1 < rows, words[one]);
            }
            for (int half = 0; half < PANEL; half += WIDTH) {
                auto *to = reinterpret_cast<int32_t *>(out + (column + half) * out_stride + row);
                transpose(words[0] + half, PANEL, count, to, out_stride / per_word);
            }
        }
    }
}

}  // namespace
