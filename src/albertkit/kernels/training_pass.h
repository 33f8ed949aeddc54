// What the forward and the backward pass of training have in common: the sizes, and what the one keeps for the other.
//
// Letters: T tokens, S sequences, P tokens that are wanted, R rows of a run: T, or P behind attention of the last one;
// E embedding size, H hidden size, F feed-forward width, N heads.

#pragma once

#include <algorithm>

#include "products.h"
#include "training_weights.h"

namespace {

constexpr int ROWS_AT_ONCE = 96;  // rows that a thread takes from product to product, so that they stay in its cache

// What a run keeps. `attended` and `final` are what went into the norms, less its mean and times the inverse of its
// deviation, which is kept beside it.
template <class Number>
struct KeptRun {
    Number *key_value, *query, *context, *attended, *inner, *final;  // (T, 2 H), (R, H), (R, H), (R, H), (R, F), (R, H)
    float *attended_inverse, *final_inverse;                         // (R,)
    float *logarithms;                                               // (N, R); see Attention
};

template <class By>
class TrainingPass {
  public:
    using Number = typename By::Number;

    TrainingPass(const TrainedModel &model, const Batch &batch)
        : model(model),
          batch(batch),
          T(batch.tokens),
          E(model.embedding),
          H(model.hidden),
          F(model.inner),
          weights(model) {}

    // Where everything lies that the backward pass wants; what is not kept for it lies where the next run puts its own.
    // -> bytes
    int64_t lay_out_kept(char *memory, bool is_kept) {
        Arena arena(memory);
        weights.lay_out(arena);
        runs = arena.take<KeptRun<Number>>(model.runs);
        places = arena.take<int32_t>(batch.sequences + 1);
        asked = arena.take<int32_t>(batch.sequences + 1);
        embeddings = arena.take<Number>(T * apart(E));
        first = arena.take<Number>(T * apart(H));
        const Arena before = arena;
        int64_t size = 0;
        for (int run = 0; run < model.runs; run++) {
            if (!is_kept) arena = before;
            const size_t R = rows_of(run), own = apart(H);
            // Keys and values first: a member may write those of this run where, in a run that is not kept, another
            // still reads answers of attention of the run before, which had fewer rows or more.
            const KeptRun<Number> kept = {arena.take<Number>(T * apart(2 * H)),
                                          arena.take<Number>(R * own),
                                          arena.take<Number>(R * own),
                                          arena.take<Number>(R * own),
                                          arena.take<Number>(R * apart(F)),
                                          arena.take<Number>(R * own),
                                          arena.take<float>(R),
                                          arena.take<float>(R),
                                          arena.take<float>(model.heads * R)};
            if (arena.has_memory()) runs[run] = kept;
            size = std::max(size, arena.size());
        }
        return size;
    }

  protected:
    const TrainedModel &model;
    const Batch &batch;
    const int T, E, H, F;
    TrainingWeights<Number> weights;
    KeptRun<Number> *runs;
    int32_t *places, *asked;     // (S + 1,) each: where a sequence's tokens begin, and those of them that are wanted
    Number *embeddings, *first;  // (T, E) and (T, H): the inputs of the mapping and of the first run

    bool is_selected(int run) const { return batch.wanted && run == model.runs - 1; }
    int rows_of(int run) const { return is_selected(run) ? batch.outputs : T; }
    size_t most_rows() const { return std::max(T, rows_of(model.runs - 1)); }  // a token may be wanted several times
    const LayerProducts &layer_of(int run) const { return weights.layers[model.layer_of_run[run]]; }

    void find_places() {
        int token = 0, one = 0;
        places[0] = asked[0] = 0;
        for (int sequence = 0; sequence < batch.sequences; sequence++) {
            token += batch.lengths[sequence];
            while (batch.wanted && one < batch.outputs && batch.wanted[one] < token) one++;
            places[sequence + 1] = token, asked[sequence + 1] = one;
        }
    }

    // Tokens of the longest sequence, or those that are wanted of one, if they are more.
    int longest() const {
        int found = 1, wanted = 0, token = 0, one = 0;
        for (int sequence = 0; sequence < batch.sequences; sequence++, wanted = 0) {
            token += batch.lengths[sequence];
            while (batch.wanted && one < batch.outputs && batch.wanted[one] < token) one++, wanted++;
            found = std::max({found, batch.lengths[sequence], wanted});
        }
        return found;
    }

    // One head of one sequence: its first token, its length, the first of its queries and their number, its column.
    struct Item {
        int start, length, asked, queries, head, column;
    };

    Item item_of(int number, int run) const {
        const int one = number / model.heads, head = number % model.heads;
        const int32_t *asking = is_selected(run) ? asked : places;
        return {places[one], places[one + 1] - places[one], asking[one], asking[one + 1] - asking[one],
                head,        head * (H / model.heads)};
    }

    // `each(first row, number of rows)` for a member's rows, as many at once as its cache holds.
    template <class Each>
    static void in_blocks(const Member &me, int rows, Each each) {
        const int to = me.to(rows);
        for (int at = me.from(rows); at < to; at += ROWS_AT_ONCE) each(at, std::min(ROWS_AT_ONCE, to - at));
    }

    // Rows of a product's inputs times some of its panels: `finish(row, output, 16 floats)`.
    template <class Finish>
    static void product_of(const Product &product, const Number *x, size_t stride, int rows, int from, int to,
                           Finish finish) {
        multiply<By>(product, x, stride, nullptr, rows, from, to, finish);
    }

    template <class Finish>
    static void product_of(const Product &product, const Number *x, size_t stride, int rows, Finish finish) {
        product_of(product, x, stride, rows, 0, product.outputs / PANEL, finish);
    }

    // What a norm gives for what it kept.
    static void scale_row(const Number *normal, const Norm &norm, int width, Number *out) {
        for (int at = 0; at < width; at += 16) {
            store(out + at, _mm512_fmadd_ps(load(normal + at), load(norm.weight + at), load(norm.bias + at)));
        }
    }
};

}  // namespace
