// The encoder of ALBERT over sequences laid end to end, for x86-64 processors with AVX-512: in float32, in bfloat16
// where the processor multiplies it, and in int8 where it has VNNI.
//
// Bytes are multiplied and added up in int32. What lies between the products is float32; queries, keys and values are
// bfloat16 in both lower precisions where there is that. A token's numbers do not depend on what stands beside it, nor
// on the number of threads. Each thread takes sequences of its own through all layers; where there are too few for
// that, all threads share one piece of work and meet after each step.
//
// Letters: T tokens, S sequences, P tokens that are wanted, H hidden size, F feed-forward width, N heads, D head width,
// L length of a sequence, K inputs of a product.

#include "model.h"
#include "threads.h"

#include <atomic>
#include <cstdlib>

extern "C" {

int32_t albertkit_version() { return VERSION; }

// Whether this processor computes in a precision.
int32_t albertkit_has_precision(int32_t precision) {
    __builtin_cpu_init();
    const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                            __builtin_cpu_supports("fma");
    switch (precision) {
        case FP32: return has_avx512;
        case BF16: return has_avx512 && __builtin_cpu_supports("avx512bf16");
        default: return has_avx512 && __builtin_cpu_supports("avx512vnni");
    }
}
}

// What stands above runs on any processor, as when the library is loaded or the process forks; what follows does not.
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,fma,bmi,bmi2")

#include "block.h"

namespace {

constexpr int BLOCK = 192;  // tokens that one thread takes through all layers together: their states stay in its cache

// A batch cut into parts of whole sequences.
class Cuts {
  public:
    explicit Cuts(const Batch &batch)
        : batch(batch),
          places(static_cast<Place *>(malloc(sizeof(Place) * (batch.sequences + 2)))),
          parts(static_cast<Batch *>(malloc(sizeof(Batch) * (batch.sequences + 1)))),
          wanted(static_cast<int32_t *>(malloc(sizeof(int32_t) * (batch.outputs + 1)))) {}
    ~Cuts() { free(places), free(parts), free(wanted); }
    Cuts(const Cuts &) = delete;

    bool has_memory() const { return places && parts && wanted; }

    // No part but one of a single sequence has more than `most` tokens. -> number of parts
    int into(int most) {
        Place at{0, 0, 0};
        count = 0;
        places[0] = at;
        for (int size = 0; at.sequence < batch.sequences; at.sequence++) {
            const int length = batch.lengths[at.sequence];
            if (size && size + length > most) places[++count] = at, size = 0;
            size += length, at.token += length;
            while (batch.wanted && at.output < batch.outputs && batch.wanted[at.output] < at.token) at.output++;
        }
        places[++count] = at;
        return count;
    }

    // Tokens of the thread that has the most, where each takes the next part when it is done.
    int busiest(int threads) const {
        int tokens[MOST_THREADS] = {};
        for (int one = 0; one < count; one++) {
            *std::min_element(tokens, tokens + threads) += places[one + 1].token - places[one].token;
        }
        return *std::max_element(tokens, tokens + threads);
    }

    // Into parts that so many threads take an even share of, where there are such -> number of parts, and what the
    // busiest has
    int evenly(int threads, int &most) {
        const int rounds = (batch.tokens + BLOCK * threads - 1) / (BLOCK * threads);
        int longest = 0, best = BLOCK;
        for (int one = 0; one < batch.sequences; one++) longest = std::max(longest, int(batch.lengths[one]));
        into(best);
        most = busiest(threads);
        for (int parts = rounds * threads; parts <= (rounds + 1) * threads; parts += threads) {
            const int share = (batch.tokens + parts - 1) / parts;
            for (int size : {share + longest / 2, share + longest}) {
                into(std::min(BLOCK, size));
                if (busiest(threads) < most) most = busiest(threads), best = std::min(BLOCK, size);
            }
        }
        return into(best);
    }

    // The parts as batches, whose states are written to where those of the whole go.
    const Batch *batches(size_t embedding, size_t hidden) {
        for (int one = 0; one < count; one++) {
            const Place &from = places[one], &to = places[one + 1];
            for (int at = from.output; batch.wanted && at < to.output; at++) wanted[at] = batch.wanted[at] - from.token;
            parts[one] = {batch.embeddings + from.token * embedding,
                          batch.lengths + from.sequence,
                          batch.wanted ? wanted + from.output : nullptr,
                          batch.out + (batch.wanted ? from.output : from.token) * hidden,
                          to.token - from.token,
                          to.sequence - from.sequence,
                          to.output - from.output};
        }
        return parts;
    }

  private:
    struct Place {
        int sequence, token, output;
    };
    const Batch &batch;
    Place *places;
    Batch *parts;
    int32_t *wanted;
    int count = 0;
};

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
    const int count = cuts.evenly(threads, most);
    if (count > 1 && most <= share + share / 8) {
        return encode_apart<By, Value>(model, cuts.batches(model.mapping.inputs, model.hidden), count, threads);
    }
    const int together = cuts.into(4 * BLOCK);
    return encode_together<By, Value>(model, cuts.batches(model.mapping.inputs, model.hidden), together, threads);
}

}  // namespace

// Ids of words, types (null for 0) and positions, (T,) each, all within their tables -> (T, E).
//
// By the thread that calls alone: it takes microseconds, and the threads of another library would still be about
// when those of the encoder begin.
extern "C" void albertkit_embed(const Embeddings *tables, const int64_t *words, const int64_t *types,
                                const int64_t *positions, int32_t tokens, float *out) {
    const int64_t width = tables->width;
    for (int token = 0; token < tokens; token++, out += width) {
        const float *word = tables->words + words[token] * width,
                    *type = tables->types + (types ? types[token] : 0) * width;
        const float *position = tables->positions + positions[token] * width;
        for (int at = 0; at < width; at += 16) {
            store(out + at, _mm512_add_ps(_mm512_add_ps(load(word + at), load(type + at)), load(position + at)));
        }
        normalise(out, tables->norm, width, tables->epsilon, out);
    }
}

// 0, or 1 where there was no memory.
extern "C" int32_t albertkit_encode(const Model *model, const Batch *batch, int32_t precision, int32_t threads) {
    switch (precision) {
        case FP32: return !encode<ByFloats, float>(*model, *batch, threads);
        case BF16: return !encode<ByHalves, uint16_t>(*model, *batch, threads);
    }
    if (albertkit_has_precision(BF16)) return !encode<ByBytes, uint16_t>(*model, *batch, threads);
    return !encode<ByBytes, float>(*model, *batch, threads);
}
