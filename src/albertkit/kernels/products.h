// Products of whole rows, their inputs, and the norm.
//
// Letters: H hidden size, K inputs of a product.

#pragma once

#include "model.h"
#include "tiles.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace {

constexpr float STEPS = 127;     // the bytes up to the largest magnitude
constexpr float LEAST = 1e-30f;  // for the largest magnitude of a row: of a smaller one 1 / step would be infinite

// Rows lie a little further apart than they are wide: at powers of two they would all want the same places of the
// cache.
inline size_t apart(size_t width) { return (width + 63) / 64 * 64 + 64; }

// A row of floats as a product takes it.
template <class Number>
inline float prepare(const float *x, const Product &product, int, Number *out) {
    for (int at = 0; at < product.inputs; at += WIDTH) store(out + at, load(x + at));
    return 1;
}

// The same in bytes -> what a byte is worth: NaN where a number of the row is NaN or infinite, which bytes cannot say.
inline float prepare(const float *x, const Product &product, int run, Byte *out) {
    const int width = product.inputs;
    const float *smoothing = product.smoothing;
    auto smoothed = [&](int at) { return smoothing ? load(x + at) * load(smoothing + at) : load(x + at); };
    float step = product.steps[run];
    Floats sizes = zeros();
    if (step == 0) {
        for (int at = 0; at < width; at += WIDTH) sizes = larger_size(sizes, magnitude(smoothed(at)));
        step = std::max(largest_size_of(sizes), LEAST) / STEPS;
    }
    const Floats per_step = all(1 / step);
    for (int at = 0; at < width; at += WIDTH) {
        const Floats one = smoothed(at);
        sizes = larger_size(sizes, magnitude(one));
        store_bytes(out + at, one * per_step, ZERO);
    }
    return std::isfinite(largest_size_of(sizes)) ? step : NAN;
}

// A row of H floats, normalised: `each(place, a vector of them, the same after scale and bias)`. -> the inverse of its
// deviation
template <class Each>
inline float normalise(const float *x, const Norm &norm, int width, float epsilon, Each each) {
    Floats sum = zeros(), squares = zeros();
    for (int at = 0; at < width; at += WIDTH) sum += load(x + at);
    const Floats mean = all(sum_of(sum) / width);
    for (int at = 0; at < width; at += WIDTH) {
        const Floats centred = load(x + at) - mean;
        squares = multiply_add(centred, centred, squares);
    }
    const float inverse = 1 / std::sqrt(sum_of(squares) / width + epsilon);
    for (int at = 0; at < width; at += WIDTH) {
        const Floats normal = (load(x + at) - mean) * all(inverse);
        each(at, normal, multiply_add(normal, load(norm.weight + at), load(norm.bias + at)));
    }
    return inverse;
}

inline void normalise(const float *x, const Norm &norm, int width, float epsilon, float *out) {
    normalise(x, norm, width, epsilon, [&](int at, Floats, Floats scaled) { store(out + at, scaled); });
}

// What a prepared input (rows, K) gives with some panels of a product: `finish(row, output, a vector of floats)`. Bytes
// of a row are worth `steps` (rows,) each.
template <class By, class Finish>
inline void multiply(const Product &product, const typename By::Number *x, size_t stride, const float *steps, int rows,
                     int from, int to, Finish finish) {
    constexpr bool is_int8 = std::is_same_v<By, ByBytes>;
    constexpr int numbers = By::AT_ONCE;
    const int words = product.inputs / numbers;
    for (int panel = from; panel < to; panel++) {
        const int output = panel * PANEL;
        const int32_t *weight =
            product.weight + size_t(panel) * product.inputs * PANEL * sizeof(typename By::Weight) / sizeof(int32_t);
        const Floats bias[2] = {load(product.bias + output), load(product.bias + output + WIDTH)};
        typename By::Sum first[2];
        [[maybe_unused]] Floats scale[2];
        for (int half = 0; half < 2; half++) {
            if constexpr (is_int8) {
                first[half] = load_words(product.offset + output + WIDTH * half);
                scale[half] = load(product.scale + output + WIDTH * half);
            } else {
                first[half] = bias[half];
            }
        }
        in_tiles(rows, [&](int start, int count) {
            const auto *tokens = reinterpret_cast<const int32_t *>(x + start * stride);
            tile_of<By>(
                count, tokens, stride / numbers, weight, words, first, [&](int row, int half, typename By::Sum sum) {
                    if constexpr (is_int8) {
                        const Floats worth = scale[half] * all(steps[start + row]);
                        finish(start + row, output + WIDTH * half, multiply_add(to_floats(sum), worth, bias[half]));
                    } else {
                        finish(start + row, output + WIDTH * half, sum);
                    }
                });
        });
    }
}

}  // namespace
