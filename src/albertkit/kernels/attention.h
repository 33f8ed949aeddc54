// Attention of one head of one sequence.
//
// Letters: L length of the sequence, D head width.

#pragma once

#include "tiles.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace {

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

// Attention of one head of a sequence in bfloat16 or float32.
template <class Value>
struct Attention {
    using By = std::conditional_t<sizeof(Value) == 2, ByHalves, ByFloats>;
    static constexpr int PER_WORD = 4 / sizeof(Value);

    int length, width, padded;  // L, D, and L up to whole panels
    int32_t *keys, *values;     // [L / 32][D words][32] and [D / 32][L words][32]
    Value *weights;             // (ROWS, padded)
    float *scores;              // (ROWS, padded)

    static size_t bytes(int length, int width) {
        const size_t padded = (length + PANEL - 1) / PANEL * PANEL;
        return padded * width * 2 * sizeof(Value) + ROWS * padded * (sizeof(Value) + sizeof(float)) + 4 * width;
    }

    Attention(int length, int width, char *memory)
        : length(length), width(width), padded((length + PANEL - 1) / PANEL * PANEL) {
        scores = reinterpret_cast<float *>(memory);
        keys = reinterpret_cast<int32_t *>(scores + ROWS * padded);
        values = keys + size_t(padded) * width / PER_WORD;
        weights = reinterpret_cast<Value *>(values + size_t(padded) * width / PER_WORD);
    }

    // Keys and values of a head, (L, D) each, laid out as tiles read them.
    void read(const Value *key, const Value *value, size_t stride) {
        const int words = width / PER_WORD;
        for (int at = 0; at < padded; at += 16) {
            for (int word = 0; word < words; word += 16) {
                const auto *from = reinterpret_cast<const int32_t *>(key + at * stride) + word;
                int32_t *to = keys + size_t(at / PANEL) * words * PANEL + word * PANEL + at % PANEL;
                transpose(from, stride / PER_WORD, std::max(std::min(length - at, 16), 0), to, PANEL);
            }
        }
        for (int column = 0; column < width; column += PANEL) {
            int32_t *to = values + size_t(column / PANEL) * value_words() * PANEL;
            for (int at = 0; at < length; at += PER_WORD, to += PANEL)
                interleave(value + at * stride + column, stride, at + 1 < length, to);
        }
    }

    // What each of some queries (queries, D) attends to -> (queries, D).
    void answer(const Value *query, size_t stride, int queries, float *out, size_t out_stride) {
        in_tiles(queries, [&](int start, int count) {
            const Floats zero[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
            const auto *tokens = reinterpret_cast<const int32_t *>(query + start * stride);
            const int words = width / PER_WORD;
            for (int panel = 0; panel < padded; panel += PANEL) {
                tile_of<By>(
                    count, tokens, stride / PER_WORD, keys + size_t(panel) * words, words, zero,
                    [&](int row, int half, Floats sum) { store(scores + row * padded + panel + 16 * half, sum); });
            }
            float sums[ROWS];
            for (int row = 0; row < count; row++) sums[row] = softmax(scores + row * padded, weights + row * padded);
            for (int column = 0; column < width; column += PANEL) {
                tile_of<By>(count, reinterpret_cast<const int32_t *>(weights), padded / PER_WORD,
                            values + size_t(column) * value_words(), value_words(), zero,
                            [&](int row, int half, Floats sum) {
                                store(out + (start + row) * out_stride + column + 16 * half,
                                      _mm512_mul_ps(sum, all(1 / sums[row])));
                            });
            }
        });
    }

  private:
    int value_words() const { return (length + PER_WORD - 1) / PER_WORD; }

    // exp(scores - the largest) of a row, whose sum comes back.
    float softmax(const float *row, Value *out) const {
        const Floats factor = all(1 / std::sqrt(float(width)));
        const Floats lowest = all(-INFINITY);
        auto mask_at = [&](int at) {
            return length - at >= 16 ? __mmask16(0xffff) : __mmask16((1u << std::max(length - at, 0)) - 1);
        };
        Floats largest = lowest, sum = _mm512_setzero_ps();
        for (int at = 0; at < length; at += 16)
            largest = _mm512_max_ps(largest, _mm512_mask_loadu_ps(lowest, mask_at(at), row + at));
        const Floats top = all(_mm512_reduce_max_ps(largest));
        for (int at = 0; at < padded; at += 16) {
            const Floats below = _mm512_mul_ps(_mm512_sub_ps(load(row + at), top), factor);
            const Floats found =
                _mm512_maskz_mov_ps(mask_at(at), PER_WORD == 1 ? exponential(below) : rough_exponential(below));
            sum = _mm512_add_ps(sum, found);
            store(out + at, found);
        }
        return _mm512_reduce_add_ps(sum);
    }

    // Two rows of bfloat16 -> words of a pair each; one row of float32 is words already.
    static void interleave(const Value *rows, size_t stride, bool is_pair, int32_t *to) {
        if constexpr (PER_WORD == 1) {
            _mm512_storeu_si512(to, _mm512_loadu_si512(rows));
            _mm512_storeu_si512(to + 16, _mm512_loadu_si512(rows + 16));
        } else {
            alignas(64) static const uint16_t order[32] = {0,  32, 1,  33, 2,  34, 3,  35, 4,  36, 5,
                                                           37, 6,  38, 7,  39, 8,  40, 9,  41, 10, 42,
                                                           11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
            const Ints one = _mm512_loadu_si512(rows),
                       other = is_pair ? _mm512_loadu_si512(rows + stride) : _mm512_setzero_si512();
            const Ints low = _mm512_load_si512(order), high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
            _mm512_storeu_si512(to, _mm512_permutex2var_epi16(one, low, other));
            _mm512_storeu_si512(to + 16, _mm512_permutex2var_epi16(one, high, other));
        }
    }
};

}  // namespace
