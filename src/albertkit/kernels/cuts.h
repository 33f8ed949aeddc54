// A batch cut into parts of whole sequences.

#pragma once

#include "model.h"
#include "threads.h"

#include <algorithm>
#include <cstdlib>

namespace {

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

    // Into parts of at most `limit` tokens that so many threads take an even share of, where there are such -> number
    // of parts, and what the busiest has
    int evenly(int threads, int limit, int &most) {
        const int rounds = (batch.tokens + limit * threads - 1) / (limit * threads);
        int longest = 0, best = limit;
        for (int one = 0; one < batch.sequences; one++) longest = std::max(longest, int(batch.lengths[one]));
        into(best);
        most = busiest(threads);
        for (int parts = rounds * threads; parts <= (rounds + 1) * threads; parts += threads) {
            const int share = (batch.tokens + parts - 1) / parts;
            for (int size : {share + longest / 2, share + longest}) {
                into(std::min(limit, size));
                if (busiest(threads) < most) most = busiest(threads), best = std::min(limit, size);
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

}  // namespace
