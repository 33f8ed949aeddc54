// Products of a few tokens with a panel of outputs, whose sums stay in registers.

#pragma once

#include "floats.h"

#include <cstddef>
#include <utility>

namespace {

constexpr int PANEL = 2 * WIDTH;  // outputs that a tile computes

// Kinds of sums: each step adds the products of one 32-bit word of a token with those of WIDTH outputs.

struct ByBytes {  // four bytes a word
    using Number = uint8_t;
    using Sum = Ints;
    static void add(Sum &sum, Ints token, Ints outputs) { add_bytes(sum, token, outputs); }
};

struct ByFloats {  // one float32 a word
    using Number = float;
    using Sum = Floats;
    static void add(Sum &sum, Ints token, Ints outputs) { add_floats(sum, token, outputs); }
};

#ifdef ALBERTKIT_AVX2
struct ByHalves;
#else
struct ByHalves {  // two bfloat16 a word
    using Number = uint16_t;
    using Sum = Floats;
    static void add(Sum &sum, Ints token, Ints outputs) { add_halves(sum, token, outputs); }
};
#endif

// The weights of a panel, and some more of some words; see Product.
struct Panel {
    const int32_t *weight;  // [words][PANEL]
    int words;
    const int32_t *rest = nullptr, *rest_words = nullptr;  // [rests][PANEL] and (rests,)
    int rests = 0;
};

template <class By, int rows>
using Sums = typename By::Sum[rows][2];

// One word of some tokens times the PANEL words of weights.
template <class By, int rows>
[[gnu::always_inline]] inline void add_word(const int32_t *tokens, size_t stride, const int32_t *weight,
                                            Sums<By, rows> &sums) {
    const Ints low = load_words(weight), high = load_words(weight + WIDTH);
#pragma GCC unroll 12
    for (int row = 0; row < rows; row++) {
        const Ints token = all_words(tokens[row * stride]);
        By::add(sums[row][0], token, low);
        By::add(sums[row][1], token, high);
    }
}

// `rows` tokens times one panel, added to `first` for each -> (rows, 2 halves of the panel).
//
// Meanwhile the panel that follows is fetched, for weights do not fit a core's own cache.
template <class By, int rows>
[[gnu::noinline]] void tile(const int32_t *tokens, size_t stride, const Panel &panel, const typename By::Sum *first,
                            typename By::Sum (*out)[2]) {
    constexpr int line = 16;
    const size_t following = size_t(panel.words) * PANEL;
    Sums<By, rows> sums;
#pragma GCC unroll 12
    for (int row = 0; row < rows; row++) sums[row][0] = first[0], sums[row][1] = first[1];
    const int32_t *weight = panel.weight;
    for (int word = 0; word < panel.words; word++, weight += PANEL) {
        for (int at = 0; at < PANEL; at += line) _mm_prefetch(weight + following + at, _MM_HINT_T1);
        add_word<By, rows>(tokens + word, stride, weight, sums);
    }
    if constexpr (!HAS_VNNI && sizeof(typename By::Number) == 1) {
        for (int one = 0; one < panel.rests; one++) {
            add_word<By, rows>(tokens + panel.rest_words[one], stride, panel.rest + size_t(one) * PANEL, sums);
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
inline void tile_of(int rows, const int32_t *tokens, size_t stride, const Panel &panel, const typename By::Sum *first,
                    Finish finish) {
    typename By::Sum sums[ROWS][2];
    tile_of_rows<By>(rows, std::make_index_sequence<ROWS>())(tokens, stride, panel, first, sums);
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
