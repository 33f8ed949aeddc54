// What a call does at a level: the vectors that stand in front of it are those of the level.

#pragma once

#include "block.h"
#include "cuts.h"
#include "threads.h"

#include <atomic>

namespace {

constexpr int BLOCK = 192;  // tokens that one thread takes through all layers together: their states stay in its cache

// Each part by one thread, which takes the next when it is done. -> whether there was memory
template <class By, class Value>
bool encode_apart(const Model &model, const Batch *parts, int count, int threads) {
    std::atomic<int> next{0};
    std::atomic<bool> has_failed{false};
    auto work = [&](int) {
        for (int one; (one = next.fetch_add(1)) < count;) {
            Block<By, Value> block(model, parts[one]);
            Team alone(1);
            if (block.allocate())
                block.run({alone, 0});
            else
                has_failed.store(true);
            if (block.has_failed) has_failed.store(true);
        }
    };
    if (workers.run(threads, work) == 1) work(0);  // another thread has the workers
    return !has_failed;
}

// One part after the other, each by all threads. -> whether there was memory
template <class By, class Value>
bool encode_together(const Model &model, const Batch *parts, int count, int threads) {
    for (int one = 0; one < count; one++) {
        Block<By, Value> block(model, parts[one]);
        if (!block.allocate()) return false;
        Team team(threads), alone(1);
        if (workers.run(threads, [&](int rank) { block.run({team, rank}); }) == 1) block.run({alone, 0});
        if (block.has_failed) return false;
    }
    return true;
}

template <class By, class Value>
bool encode(const Model &model, const Batch &batch, int threads) {
    Cuts cuts(batch);
    if (!cuts.has_memory()) return false;
    threads = workers.available(threads);
    const int share = (batch.tokens + threads - 1) / threads;
    int most = 0;
    const int count = cuts.evenly(threads, BLOCK, most);
    if (count > 1 && most <= share + share / 8) {
        return encode_apart<By, Value>(model, cuts.batches(model.mapping.inputs, model.hidden), count, threads);
    }
    const int together = cuts.into(4 * BLOCK);
    return encode_together<By, Value>(model, cuts.batches(model.mapping.inputs, model.hidden), together, threads);
}

// Ids of words, types (null for 0) and positions, (T,) each -> (T, E), and whether all were within their tables.
//
// By the thread that calls alone: it takes microseconds, and the threads of another library would still be about
// when those of the encoder begin.
bool embed(const Embeddings &tables, const int64_t *words, const int64_t *types, const int64_t *positions, int tokens,
           float *out) {
    const int64_t width = tables.width;
    auto is_within = [](int64_t id, int32_t rows) { return id >= 0 && id < rows; };
    for (int token = 0; token < tokens; token++, out += width) {
        if (!is_within(words[token], tables.of_words) || !is_within(positions[token], tables.of_positions) ||
            (types && !is_within(types[token], tables.of_types)))
            return false;
        const float *word = tables.words + words[token] * width,
                    *type = tables.types + (types ? types[token] : 0) * width;
        const float *position = tables.positions + positions[token] * width;
        for (int at = 0; at < width; at += WIDTH) {
            store(out + at, load(word + at) + load(type + at) + load(position + at));
        }
        normalise(out, tables.norm, width, tables.epsilon, out);
    }
    return true;
}

}  // namespace
