// Attention of one head of one sequence.
//
// Letters: L length of the sequence, D head width, P outputs of a panel.

#pragma once

#include "layouts.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace {

// Attention of one head of a sequence in bfloat16 or float32.
template <class Value>
struct Attention {
    using By = std::conditional_t<sizeof(Value) == 2, ByHalves, ByFloats>;
    static constexpr int PER_WORD = 4 / sizeof(Value);

    int length, width, padded;  // L, D, and L up to whole panels
    int32_t *keys, *values;     // [L / P][D words][P] and [D / P][L words][P]
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
        panels_of_rows(key, stride, length, width, keys);
        panels_of_columns(value, stride, length, width, values);
    }

    // What each of some queries (queries, D) attends to -> (queries, D). Where asked for, also the logarithm of the sum
    // of each query's exponentials, (queries,).
    template <class Out>
    void answer(const Value *query, size_t stride, int queries, Out *out, size_t out_stride,
                float *logarithms = nullptr) {
        in_tiles(queries, [&](int start, int count) {
            const Floats zero[2] = {zeros(), zeros()};
            const auto *tokens = reinterpret_cast<const int32_t *>(query + start * stride);
            const int words = width / PER_WORD;
            for (int panel = 0; panel < padded; panel += PANEL) {
                tile_of<By>(
                    count, tokens, stride / PER_WORD, keys + size_t(panel) * words, words, zero,
                    [&](int row, int half, Floats sum) { store(scores + row * padded + panel + WIDTH * half, sum); });
            }
            float sums[ROWS];
            for (int row = 0; row < count; row++) {
                float top;
                sums[row] = softmax(scores + row * padded, weights + row * padded, top);
                if (logarithms) logarithms[start + row] = top / std::sqrt(float(width)) + std::log(sums[row]);
            }
            for (int column = 0; column < width; column += PANEL) {
                tile_of<By>(
                    count, reinterpret_cast<const int32_t *>(weights), padded / PER_WORD,
                    values + size_t(column) * value_words(), value_words(), zero, [&](int row, int half, Floats sum) {
                        store(out + (start + row) * out_stride + column + WIDTH * half, sum * all(1 / sums[row]));
                    });
            }
        });
    }

  private:
    int value_words() const { return words_of<Value>(length); }

    // exp(scores - the largest) of a row, whose sum comes back, and the largest score before it is divided by sqrt(D).
    float softmax(const float *row, Value *out, float &most) const {
        const Floats factor = all(1 / std::sqrt(float(width)));
        const Floats lowest = all(-INFINITY);
        Floats largest = lowest, sum = zeros();
        for (int at = 0; at < length; at += WIDTH)
            largest = larger(largest, first_of(load(row + at), length - at, lowest));
        most = largest_of(largest);
        const Floats top = all(most);
        for (int at = 0; at < padded; at += WIDTH) {
            const Floats below = (load(row + at) - top) * factor;
            const Floats found =
                first_of(PER_WORD == 1 ? exponential(below) : rough_exponential(below), length - at, zeros());
            sum += found;
            store(out + at, found);
        }
        return sum_of(sum);
    }
};

}  // namespace
