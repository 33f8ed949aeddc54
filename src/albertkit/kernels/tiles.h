// Products of a few tokens with 32 outputs, whose sums stay in registers.

#pragma once

#include "floats.h"

#include <cstddef>

namespace {

constexpr int PANEL = 32;  // outputs that a tile computes, in two registers
constexpr int ROWS = 12;   // tokens that a tile computes at most: 24 sums are kept in registers

// Kinds of sums: each step adds the products of one 32-bit word of a token with those of 16 outputs. In assembler, for
// compilers that are given the same as a function move sums from register to register and into memory.

struct ByBytes {  // four bytes a word
    using Number = uint8_t;
    using Sum = Ints;
    static void add(Sum &sum, Ints token, Ints outputs) {
        asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(token), "v"(outputs));
    }
};

struct ByHalves {  // two bfloat16 a word
    using Number = uint16_t;
    using Sum = Floats;
    static void add(Sum &sum, Ints token, Ints outputs) {
        asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(token), "v"(outputs));
    }
};

struct ByFloats {  // one float32 a word
    using Number = float;
    using Sum = Floats;
    static void add(Sum &sum, Ints token, Ints outputs) {
        asm("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(token), "v"(outputs));
    }
};

// `rows` tokens times one panel, [words][32], added to `first` for each -> (rows, 2 halves of the panel).
//
// Meanwhile the panel that follows is fetched, for weights do not fit a core's own cache.
template <class By, int rows>
[[gnu::noinline]] void tile(const int32_t *tokens, size_t stride, const int32_t *panel, int words,
                            const typename By::Sum *first, typename By::Sum (*out)[2]) {
    const size_t following = size_t(words) * PANEL;
    typename By::Sum sums[rows][2];
#pragma GCC unroll 12
    for (int row = 0; row < rows; row++) sums[row][0] = first[0], sums[row][1] = first[1];
    for (int word = 0; word < words; word++, panel += PANEL) {
        const Ints low = _mm512_loadu_si512(panel), high = _mm512_loadu_si512(panel + 16);
        _mm_prefetch(panel + following, _MM_HINT_T1), _mm_prefetch(panel + following + 16, _MM_HINT_T1);
#pragma GCC unroll 12
        for (int row = 0; row < rows; row++) {
            const Ints token = _mm512_set1_epi32(tokens[row * stride + word]);
            By::add(sums[row][0], token, low);
            By::add(sums[row][1], token, high);
        }
    }
#pragma GCC unroll 12
    for (int row = 0; row < rows; row++) out[row][0] = sums[row][0], out[row][1] = sums[row][1];
}

// The same for any number of rows up to ROWS; `finish(row, half of the panel, sum)` takes what comes out.
template <class By, class Finish>
inline void tile_of(int rows, const int32_t *tokens, size_t stride, const int32_t *panel, int words,
                    const typename By::Sum *first, Finish finish) {
    static constexpr decltype(&tile<By, 1>) of_rows[] = {tile<By, 1>, tile<By, 2>,  tile<By, 3>,  tile<By, 4>,
                                                         tile<By, 5>, tile<By, 6>,  tile<By, 7>,  tile<By, 8>,
                                                         tile<By, 9>, tile<By, 10>, tile<By, 11>, tile<By, 12>};
    typename By::Sum sums[ROWS][2];
    of_rows[rows - 1](tokens, stride, panel, words, first, sums);
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
