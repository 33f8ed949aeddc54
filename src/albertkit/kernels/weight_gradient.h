// Gradients of weights: sums over tokens of products of what went in and the gradient of what came out.
//
// Letters: R rows, N outputs and K inputs of a weight (N, K).

#pragma once

#include <algorithm>
#include <initializer_list>

#include "training_pass.h"

namespace {

// The gradient of outputs (R, N), and the gradients of weight (N, K) and bias (N,) that it adds to; either may be null.
template <class Number>
struct WeightTarget {
    const Number *of_output;
    size_t stride;
    int outputs;
    float *weight, *bias;
};

template <class By>
class WeightGradient {
    using Number = typename By::Number;
    static constexpr int PER_WORD = 4 / sizeof(Number);
    static constexpr int TOKENS = 1024;  // that are added up at once
    static constexpr size_t APART = TOKENS + 64;

  public:
    // `zeros`: as many as the widest inputs.
    void lay_out(Arena &arena, int widest, const float *zeros, int threads) {
        no_bias = zeros;
        panels = arena.take<int32_t>(size_t(widest) * TOKENS / PER_WORD);
        turned_size = size_t(ROWS_AT_ONCE) * APART;
        turned = arena.take<Number>(threads * turned_size);
    }

    // Inputs (R, K) of one or several products, and what these add to.
    void add(const Member &me, const Number *x, size_t stride, int inputs, int rows,
             std::initializer_list<WeightTarget<Number>> targets) {
        if (std::none_of(targets.begin(), targets.end(), [](const auto &one) { return one.weight || one.bias; }))
            return;
        for (int start = 0; start < rows; start += TOKENS) {
            const int count = std::min(TOKENS, rows - start), words = words_of<Number>(count);
            const int from = me.from(inputs / PANEL), to = me.to(inputs / PANEL);
            panels_of_columns(x + start * stride + from * PANEL, stride, count, (to - from) * PANEL,
                              panels + size_t(from) * words * PANEL);
            me.meet();
            const Product product = {panels, nullptr, nullptr, no_bias, nullptr, nullptr, words * PER_WORD, inputs};
            for (const auto &target : targets) add_some(me, product, target, start, count);
            me.meet();
        }
    }

  private:
    const float *no_bias;
    int32_t *panels;  // [K / 32][words of tokens][32]
    Number *turned;   // of each thread (ROWS_AT_ONCE, APART)
    size_t turned_size;

    // A member's outputs.
    void add_some(const Member &me, const Product &product, const WeightTarget<Number> &target, int start, int count) {
        Number *own = turned + me.rank * turned_size;
        const int to = me.to(target.outputs / PANEL) * PANEL;
        for (int first = me.from(target.outputs / PANEL) * PANEL; first < to; first += ROWS_AT_ONCE) {
            const int outputs = std::min(ROWS_AT_ONCE, to - first);
            const Number *x = target.of_output + start * target.stride + first;
            if (target.bias) add_rows(x, target.stride, count, outputs, target.bias + first);
            if (!target.weight) continue;
            turn(x, target.stride, count, outputs, own, APART);
            float *out = target.weight + size_t(first) * product.outputs;
            multiply<By>(product, own, APART, nullptr, outputs, 0, product.outputs / PANEL,
                         [&](int row, int at, Floats found) {
                             float *place = out + size_t(row) * product.outputs + at;
                             __builtin_prefetch(place + PANEL, 1);  // of the panel that follows
                             store(place, _mm512_add_ps(found, load(place)));
                         });
        }
    }

    // (R, N) added up over R.
    static void add_rows(const Number *x, size_t stride, int rows, int outputs, float *out) {
        Floats sums[ROWS_AT_ONCE / 16];
        const int count = outputs / 16;
        for (int one = 0; one < count; one++) sums[one] = load(out + one * 16);
        for (int row = 0; row < rows; row++, x += stride) {
            for (int one = 0; one < count; one++) sums[one] = _mm512_add_ps(sums[one], load(x + one * 16));
        }
        for (int one = 0; one < count; one++) store(out + one * 16, sums[one]);
    }
};

}  // namespace
