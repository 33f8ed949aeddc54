// The gradient of attention of one head of one sequence.
//
// Letters: L length of the sequence, Q queries, D head width.

#pragma once

#include "layouts.h"

#include <cmath>
#include <type_traits>

namespace {

// Weights are computed again from what the forward pass kept, a few keys at a time: rows are keys here and columns
// queries, so that what is known of a query, (Q,), is a vector.
template <class Value>
struct AttentionGradient {
    using By = std::conditional_t<sizeof(Value) == 2, ByHalves, ByFloats>;
    static constexpr int PER_WORD = 4 / sizeof(Value);
    static constexpr bool IS_ROUGH = sizeof(Value) == 2;

    int queries, length, width;
    size_t wide, long_;  // Q and L up to whole panels, and a little more: at powers of two rows would share cache lines
    int32_t *query_rows, *gradient_rows;        // [Q / 32][D words][32]
    int32_t *query_columns, *gradient_columns;  // [D / 32][Q words][32]
    int32_t *key_columns;                       // [D / 32][L words][32]
    float *scores, *slopes, *means;             // (ROWS, wide); (L, wide), gradients of the weights; (wide,)
    Value *by_key, *by_query;                   // (L, wide) and (Q, long_): weights, then gradients of the scores

    static size_t panels(int rows) { return size_t(rows + PANEL - 1) / PANEL * PANEL; }
    static size_t apart_from(int rows) { return panels(rows) + 32; }

    static size_t bytes(int length, int width) {
        const size_t side = apart_from(length);
        return 5 * panels(length) * width * sizeof(Value) + (ROWS + 1 + side) * side * sizeof(float) +
               2 * side * side * sizeof(Value) + 10 * 64;
    }

    AttentionGradient(int queries, int length, int width, char *memory)
        : queries(queries), length(length), width(width), wide(apart_from(queries)), long_(apart_from(length)) {
        auto take = [&](auto *&place, size_t count) {
            place = reinterpret_cast<std::remove_reference_t<decltype(place)>>(memory);
            memory += (count * sizeof(*place) + 63) / 64 * 64;
        };
        const size_t of_queries = panels(queries) * width / PER_WORD, of_keys = panels(length) * width / PER_WORD;
        take(query_rows, of_queries), take(gradient_rows, of_queries);
        take(query_columns, of_queries), take(gradient_columns, of_queries), take(key_columns, of_keys);
        take(scores, ROWS * wide), take(slopes, panels(length) * wide), take(means, wide);
        take(by_key, panels(length) * wide), take(by_query, panels(queries) * long_);
    }

    // Queries and the gradient of their answers, (Q, D) each; keys and values, (L, D) each; `logarithms` (Q,) as
    // Attention gives them -> gradients of queries (Q, D), keys and values (L, D).
    void find(const Value *query, const Value *gradient, size_t query_stride, const Value *key, const Value *value,
              size_t key_stride, const float *logarithms, Value *of_query, Value *of_key, Value *of_value) {
        panels_of_rows(query, query_stride, queries, width, query_rows);
        panels_of_rows(gradient, query_stride, queries, width, gradient_rows);
        panels_of_columns(query, query_stride, queries, width, query_columns);
        panels_of_columns(gradient, query_stride, queries, width, gradient_columns);
        panels_of_columns(key, key_stride, length, width, key_columns);
        std::fill_n(means, panels(queries), 0.0f);
        in_tiles(length, [&](int start, int count) {
            Value *weights = by_key + start * wide;
            float *slope = slopes + start * wide;
            multiply(key + start * key_stride, key_stride, count, query_rows, int(panels(queries)), width,
                     [&](int row, int at, Floats found) { store(scores + row * wide + at, found); });
            multiply(value + start * key_stride, key_stride, count, gradient_rows, int(panels(queries)), width,
                     [&](int row, int at, Floats found) { store(slope + row * wide + at, found); });
            for (int row = 0; row < count; row++) {
                find_weights(scores + row * wide, slope + row * wide, logarithms, weights + row * wide);
            }
            multiply(weights, wide, count, gradient_columns, width, queries,
                     [&](int row, int at, Floats found) { store(of_value + (start + row) * key_stride + at, found); });
        });
        in_tiles(length, [&](int start, int count) {
            Value *row = by_key + start * wide;
            for (int one = 0; one < count; one++) score_gradient(slopes + (start + one) * wide, row + one * wide);
            multiply(row, wide, count, query_columns, width, queries,
                     [&](int one, int at, Floats found) { store(of_key + (start + one) * key_stride + at, found); });
        });
        turn(by_key, wide, length, int(panels(queries)), by_query, long_);
        in_tiles(queries, [&](int start, int count) {
            multiply(
                by_query + start * long_, long_, count, key_columns, width, length,
                [&](int row, int at, Floats found) { store(of_query + (start + row) * query_stride + at, found); });
        });
    }

  private:
    // At most ROWS rows (rows, inputs) times panels with so many outputs: `finish(row, output, 16 floats)`.
    template <class Finish>
    void multiply(const Value *x, size_t stride, int rows, const int32_t *panels, int outputs, int inputs,
                  Finish finish) const {
        const Floats zero[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
        const int words = words_of<Value>(inputs);
        const auto *tokens = reinterpret_cast<const int32_t *>(x);
        for (int output = 0; output < outputs; output += PANEL) {
            tile_of<By>(rows, tokens, stride / PER_WORD, panels + size_t(output) * words, words, zero,
                        [&](int row, int half, Floats sum) { finish(row, output + 16 * half, sum); });
        }
    }

    // Of one key: its weight for each query, which adds to the mean of the gradients of a query's weights.
    void find_weights(const float *score, const float *slope, const float *logarithms, Value *weight) const {
        const Floats factor = all(1 / std::sqrt(float(width)));
        for (int at = 0; at < int(panels(queries)); at += 16) {
            const int left = std::max(queries - at, 0);
            const __mmask16 mask = left >= 16 ? 0xffff : __mmask16((1u << left) - 1);
            const Floats below =
                _mm512_fmsub_ps(load(score + at), factor, _mm512_maskz_loadu_ps(mask, logarithms + at));
            const Floats found = _mm512_maskz_mov_ps(mask, IS_ROUGH ? rough_exponential(below) : exponential(below));
            store(means + at, _mm512_fmadd_ps(found, load(slope + at), load(means + at)));
            store(weight + at, found);
        }
    }

    // Of one key: its weights become the gradients of its scores.
    void score_gradient(const float *slope, Value *weight) const {
        const Floats factor = all(1 / std::sqrt(float(width)));
        for (int at = 0; at < int(panels(queries)); at += 16) {
            const Floats beyond = _mm512_mul_ps(_mm512_sub_ps(load(slope + at), load(means + at)), factor);
            store(weight + at, _mm512_mul_ps(load(weight + at), beyond));
        }
    }
};

}  // namespace
