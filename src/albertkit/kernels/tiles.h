// Products of a few tokens with a panel of outputs, whose sums stay in registers.

#pragma once

#include "floats.h"

#include <cstddef>
#include <utility>

namespace {

constexpr int PANEL = 2 * WIDTH;  // outputs that a tile computes

// Kinds of sums: each step adds the products of one 32-bit word of a token, `AT_ONCE` numbers, with those of WIDTH
// outputs.

struct ByBytes {
    using Number = Byte;
    using Weight = int8_t;
    using Sum = Ints;
    static constexpr int AT_ONCE = 4 / sizeof(Byte);
    static void add(Sum &sum, Ints token, Ints outputs) { add_bytes(sum, token, outputs); }
    static Ints load(const Weight *x) { return load_weights(x); }
};

struct ByFloats {
    using Number = float;
    using Weight = float;
    using Sum = Floats;
    static constexpr int AT_ONCE = 1;
    static void add(Sum &sum, Ints token, Ints outputs) { add_floats(sum, token, outputs); }
    static Ints load(const Weight *x) { return load_words(reinterpret_cast<const int32_t *>(x)); }
};

#ifdef ALBERTKIT_AVX2
struct ByHalves;
#else
struct ByHalves {  // bfloat16
    using Number = uint16_t;
    using Weight = uint16_t;
    using Sum = Floats;
    static constexpr int AT_ONCE = 2;
    static void add(Sum &sum, Ints token, Ints outputs) { add_halves(sum, token, outputs); }
    static Ints load(const Weight *x) { return load_words(reinterpret_cast<const int32_t *>(x)); }
};
#endif

// `rows` tokens times one panel, [words][PANEL][AT_ONCE], added to `first` for each -> (rows, 2 halves of the panel).
//
// Meanwhile the panel that follows is fetched, for weights do not fit a core's own cache.
template <class By, int rows>
[[gnu::noinline]] void tile(const int32_t *tokens, size_t stride, const int32_t *panel, int words,
                            const typename By::Sum *first, typename By::Sum (*out)[2]) {
    constexpr int step = PANEL * By::AT_ONCE, half = step / 2, line = 64 / sizeof(typename By::Weight);
    const auto *weight = reinterpret_cast<const typename By::Weight *>(panel);
    const size_t following = size_t(words) * step;
    typename By::Sum sums[rows][2];
#pragma GCC unroll 12
    for (int row = 0; row < rows; row++) sums[row][0] = first[0], sums[row][1] = first[1];
    for (int word = 0; word < words; word++, weight += step) {
        const Ints low = By::load(weight), high = By::load(weight + half);
        for (int at = 0; at < step; at += line) _mm_prefetch(weight + following + at, _MM_HINT_T1);
#pragma GCC unroll 12
        for (int row = 0; row < rows; row++) {
            const Ints token = all_words(tokens[row * stride + word]);
            By::add(sums[row][0], token, low);
            By::add(sums[row][1], token, high);
        }
    }
#pragma GCC unroll 12
    for (int row = 0; row < rows; row++) out[row][0] = sums[row][0], out[row][1] = sums[row][1];
}

template <class By>
using Tile = decltype(&tile<By, 1>);

// The tiles of 1 to ROWS rows.
template <class By, size_t... rows>
inline Tile<By> tile_of_rows(int count, std::index_sequence<rows...>) {
    static constexpr Tile<By> known[] = {tile<By, rows + 1>...};
    return known[count - 1];
}

// The same for any number of rows up to ROWS; `finish(row, half of the panel, sum)` takes what comes out.
template <class By, class Finish>
inline void tile_of(int rows, const int32_t *tokens, size_t stride, const int32_t *panel, int words,
                    const typename By::Sum *first, Finish finish) {
    typename By::Sum sums[ROWS][2];
    tile_of_rows<By>(rows, std::make_index_sequence<ROWS>())(tokens, stride, panel, words, first, sums);
    for (int row = 0; row < rows; row++) finish(row, 0, sums[row][0]), finish(row, 1, sums[row][1]);
}

// Rows in as few tiles as they need, of about the same height: `each(first row, number of rows)`.
template <class Each>
inline void in_tiles(int rows, Each each) {
    const int tiles = (rows + ROWS - 1) / ROWS;
    for (int one = 0; one < tiles; one++) {
        const int start = int64_t(rows) * one / tiles;
        each(start, int(int64_t(rows) * (one + 1) / tiles) - start);
    }
}

}  // namespace
