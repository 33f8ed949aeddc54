// A dense layer in float32, whose weights are read as they lie in a checkpoint.
//
// Letters: R rows, K inputs, N outputs, P outputs of a panel.

#pragma once

#include "layouts.h"
#include "model.h"
#include "threads.h"

#include <algorithm>
#include <atomic>

namespace {

constexpr int ROWS_OF_PANEL = 192;               // rows that a panel is laid out for once
constexpr int64_t PRODUCTS_OF_THREAD = 1 << 18;  // fewer are done before another thread has begun

class DenseLayer {
  public:
    DenseLayer(const Dense &layer, const float *x, int rows, float *out) : layer(layer), x(x), rows(rows), out(out) {}

    // -> whether there was memory
    bool run(int threads) {
        const int panels = (layer.outputs + PANEL - 1) / PANEL, parts = (rows + ROWS_OF_PANEL - 1) / ROWS_OF_PANEL;
        const int64_t products = int64_t(rows) * layer.inputs * layer.outputs;
        std::atomic<int64_t> next{0};
        std::atomic<bool> has_failed{false};
        auto work = [&](int) {
            auto *panel = reinterpret_cast<int32_t *>(kept.panel.of(size_t(layer.inputs) * PANEL * sizeof(float)));
            if (!panel) return has_failed.store(true);
            for (int64_t one; (one = next.fetch_add(1)) < int64_t(panels) * parts;) {
                multiply(int(one % panels) * PANEL, int(one / panels) * ROWS_OF_PANEL, panel);
            }
        };
        threads = int(std::min<int64_t>(threads, products / PRODUCTS_OF_THREAD));
        if (workers.run(threads, work) == 1) work(0);  // a small one, or another thread has the workers
        return !has_failed;
    }

  private:
    const Dense &layer;
    const float *x;
    int rows;
    float *out;

    // The outputs of a panel, for some rows.
    void multiply(int output, int row, int32_t *panel) {
        const int count = std::min(PANEL, layer.outputs - output), until = std::min(rows, row + ROWS_OF_PANEL);
        const size_t inputs = layer.inputs, outputs = layer.outputs;
        panels_of_rows(layer.weight + output * inputs, inputs, count, layer.inputs, panel);
        alignas(64) float bias[PANEL] = {};
        if (layer.bias) __builtin_memcpy(bias, layer.bias + output, count * sizeof(float));
        const Floats first[2] = {load(bias), load(bias + WIDTH)};
        in_tiles(until - row, [&](int start, int size) {
            const float *given = x + (row + start) * inputs;
            float *to = out + (row + start) * outputs + output;
            tile_of<ByFloats>(size, reinterpret_cast<const int32_t *>(given), inputs, panel, layer.inputs, first,
                              [&](int one, int half, Floats sum) {
                                  if (layer.has_tanh) sum = hyperbolic_tangent(sum);
                                  store_some(to + one * outputs + WIDTH * half, sum, count - WIDTH * half);
                              });
        });
    }

    // The first `count` numbers of a vector, which may be none or more than it has.
    static void store_some(float *to, Floats x, int count) {
        if (count >= WIDTH) return store(to, x);
        alignas(64) float all[WIDTH];
        store(all, x);
        if (count > 0) __builtin_memcpy(to, all, count * sizeof(float));
    }
};

bool dense(const Dense &layer, const float *x, int rows, float *out, int threads) {
    return DenseLayer(layer, x, rows, out).run(threads);
}

}  // namespace
