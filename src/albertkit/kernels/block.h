// Some sequences on their way through all layers.
//
// Letters: T tokens, S sequences, H hidden size.

#pragma once

#include <atomic>
#include <type_traits>

#include "attention.h"
#include "model.h"
#include "products.h"
#include "threads.h"

namespace {

// Some sequences on their way through all layers. `Value` is what queries, keys and values are kept in.
template <class By, class Value>
class Block {
    using Number = typename By::Number;
    static constexpr bool IS_INT8 = std::is_same_v<By, ByBytes>;
    static constexpr bool IS_ROUGH = !std::is_same_v<By, ByFloats>;  // as exact as bytes and bfloat16 are

  public:
    Block(const Model &model, const Batch &batch)
        : model(model),
          batch(batch),
          hidden(model.hidden),
          wide(std::max({model.hidden, model.inner, model.mapping.inputs})) {
        for (int one = 0; one < batch.sequences; one++) longest = std::max(longest, batch.lengths[one]);
    }

    bool allocate() {
        const size_t T = batch.tokens, row = apart(hidden);
        const size_t sizes[] = {T * row * 4,
                                T * row * 4,
                                T * row * 4,
                                T * 3 * row * sizeof(Value),
                                T * row * sizeof(Value),
                                T * apart(wide) * sizeof(Number),
                                T * apart(wide) * sizeof(Number),
                                T * 4,
                                T * 4,
                                has_token_steps() ? T * apart(model.inner) * 4 : 0,
                                size_t(batch.sequences + 1) * 8};
        size_t total = 0;
        for (const size_t size : sizes) total += size + 64;
        char *next = kept.states.of(total);
        if (!next) return false;
        auto take = [&, at = 0]() mutable {
            char *found = next;
            next += (sizes[at++] + 63) / 64 * 64;
            return found;
        };
        states = reinterpret_cast<float *>(take()), sums = reinterpret_cast<float *>(take()),
        context = reinterpret_cast<float *>(take());
        qkv = reinterpret_cast<Value *>(take()), queries = reinterpret_cast<Value *>(take());
        input = reinterpret_cast<Number *>(take()), inner = reinterpret_cast<Number *>(take());
        steps = reinterpret_cast<float *>(take()), inner_steps = reinterpret_cast<float *>(take());
        inner_floats = reinterpret_cast<float *>(take());
        places = reinterpret_cast<int32_t *>(take());
        asked = places + batch.sequences + 1;
        find_places();
        return true;
    }

    void run(const Member &me) {
        char *memory = kept.attention.of(Attention<Value>::bytes(longest, hidden / model.heads));
        if (!memory) has_failed.store(true);
        me.meet();
        if (has_failed.load()) return;
        map(me);
        for (int run = 0; run < model.runs; run++) layer(me, run, memory);
        const size_t row = apart(hidden);
        for (int one = me.from(rows_at_end()); one < me.to(rows_at_end()); one++) {
            __builtin_memcpy(batch.out + size_t(one) * hidden, states + one * row, hidden * sizeof(float));
        }
    }

    std::atomic<bool> has_failed{false};

  private:
    const Model &model;
    const Batch &batch;
    int hidden, wide, longest = 0;
    float *states, *sums, *context, *steps, *inner_steps, *inner_floats;
    Value *qkv, *queries;
    Number *input, *inner;    // of products, and of the second one of the feed-forward block
    int32_t *places, *asked;  // (S + 1,) where sequences begin, among all tokens and among those that are wanted

    int rows_at_end() const { return batch.wanted ? batch.outputs : batch.tokens; }

    bool has_token_steps() const {
        for (int run = 0; IS_INT8 && run < model.runs; run++) {
            if (model.layers[model.layer_of_run[run]].ffn_output.steps[run] == 0) return true;
        }
        return false;
    }

    void find_places() {
        places[0] = asked[0] = 0;
        for (int one = 0, token = 0; one < batch.sequences; one++) {
            places[one + 1] = places[one] + batch.lengths[one];
            while (batch.wanted && token < batch.outputs && batch.wanted[token] < places[one + 1]) token++;
            asked[one + 1] = batch.wanted ? token : places[one + 1];
        }
    }

    // Embeddings -> the states that the first layer is given, and its input.
    void map(const Member &me) {
        const size_t row = apart(hidden), width = model.mapping.inputs;
        const int T = batch.tokens;
        for (int one = me.from(T); one < me.to(T); one++) {
            steps[one] = prepare(batch.embeddings + one * width, model.mapping, 0, input + one * apart(wide));
        }
        me.meet();
        const int panels = hidden / PANEL;
        multiply<By>(model.mapping, input, apart(wide), steps, T, me.from(panels), me.to(panels),
                     [&](int one, int output, Floats found) { store(states + one * row + output, found); });
        me.meet();
        prepare_rows(me, T, states, model.layers[model.layer_of_run[0]].query_key_value, 0);
        me.meet();
    }

    void prepare_rows(const Member &me, int rows, const float *x, const Product &product, int run) {
        for (int one = me.from(rows); one < me.to(rows); one++) {
            steps[one] = prepare(x + one * apart(hidden), product, run, input + one * apart(wide));
        }
    }

    void layer(const Member &me, int run, char *memory) {
        const Layer &layer = model.layers[model.layer_of_run[run]];
        const bool is_last = run == model.runs - 1;
        const int rows = is_last ? rows_at_end() : batch.tokens;
        attend(me, layer, is_last && batch.wanted, memory);
        const size_t row = apart(hidden);
        prepare_rows(me, rows, context, layer.dense, run);
        me.meet();
        add(me, layer.dense, input, steps, rows);
        me.meet();
        for (int one = me.from(rows); one < me.to(rows); one++) {
            normalise(sums + one * row, layer.attention_norm, hidden, model.epsilon, states + one * row);
            steps[one] = prepare(states + one * row, layer.ffn, run, input + one * apart(wide));
        }
        me.meet();
        switch (model.activation) {
            case GELU: feed<GELU>(me, layer, run, rows); break;
            case GELU_TANH: feed<GELU_TANH>(me, layer, run, rows); break;
            default: feed<RELU>(me, layer, run, rows);
        }
        me.meet();
        add(me, layer.ffn_output, inner, inner_steps, rows);
        me.meet();
        const Product *next = is_last ? nullptr : &model.layers[model.layer_of_run[run + 1]].query_key_value;
        for (int one = me.from(rows); one < me.to(rows); one++) {
            normalise(sums + one * row, layer.final_norm, hidden, model.epsilon, states + one * row);
            if (next) steps[one] = prepare(states + one * row, *next, run + 1, input + one * apart(wide));
        }
        me.meet();
    }

    // sums = states + the product.
    void add(const Member &me, const Product &product, const Number *x, const float *worth, int rows) {
        const size_t row = apart(hidden);
        const int panels = hidden / PANEL;
        multiply<By>(product, x, apart(wide), worth, rows, me.from(panels), me.to(panels),
                     [&](int one, int output, Floats found) {
                         store(sums + one * row + output, found + load(states + one * row + output));
                     });
    }

    // The first half of the feed-forward block, up to the input of its second half.
    template <int activation>
    void feed(const Member &me, const Layer &layer, int run, int rows) {
        const int panels = model.inner / PANEL, from = me.from(panels), to = me.to(panels);
        auto each = [&](auto finish) { multiply<By>(layer.ffn, input, apart(wide), steps, rows, from, to, finish); };
        if constexpr (!IS_INT8) {
            each([&](int one, int output, Floats found) {
                store(inner + one * apart(wide) + output, activated<activation, IS_ROUGH>(found));
            });
        } else {
            const Product &next = layer.ffn_output;
            const float step = next.steps[run];
            if (step == 0) {  // what a byte is worth is known when a row is whole
                each([&](int one, int output, Floats found) {
                    store(inner_floats + one * apart(model.inner) + output, activated<activation, IS_ROUGH>(found));
                });
                me.meet();
                for (int one = me.from(rows); one < me.to(rows); one++) {
                    inner_steps[one] =
                        prepare(inner_floats + one * apart(model.inner), next, run, inner + one * apart(wide));
                }
                return;
            }
            const Floats per_step = all(1 / step);
            each([&](int one, int output, Floats found) {
                Floats x = activated<activation, IS_ROUGH>(found);
                if (next.smoothing) x *= load(next.smoothing + output);
                store_bytes(inner + one * apart(wide) + output, x * per_step, ZERO);
            });
            for (int one = me.from(rows); one < me.to(rows); one++) inner_steps[one] = step;
        }
    }

    // What tokens attend to, of all or of those that are wanted alone, into `context`.
    void attend(const Member &me, const Layer &layer, bool is_of_wanted, char *memory) {
        const size_t row = apart(hidden), side = 3 * row;
        const int panels = hidden / PANEL, first = is_of_wanted ? panels : 0, count = 3 * panels - first;
        multiply<By>(layer.query_key_value, input, apart(wide), steps, batch.tokens, first + me.from(count),
                     first + me.to(count),
                     [&](int one, int output, Floats found) { store(qkv + one * side + output, found); });
        me.meet();
        if (is_of_wanted) ask(me, layer);
        const int width = hidden / model.heads, items = batch.sequences * model.heads;
        const Value *query = is_of_wanted ? queries : qkv;
        const size_t query_side = is_of_wanted ? row : side;
        for (int item = me.rank; item < items; item += me.team.size) {
            const int one = item / model.heads, column = item % model.heads * width,
                      asking = asked_of(one, is_of_wanted);
            if (!asking) continue;
            const int start = is_of_wanted ? asked[one] : places[one];
            Attention<Value> attention(batch.lengths[one], width, memory);
            const Value *key = qkv + places[one] * side + hidden + column;
            attention.read(key, key + hidden, side);
            attention.answer(query + start * query_side + column, query_side, asking, context + start * row + column,
                             row);
        }
        me.meet();
    }

    int asked_of(int one, bool is_of_wanted) const {
        return is_of_wanted ? asked[one + 1] - asked[one] : batch.lengths[one];
    }

    // The queries of the tokens that are wanted; their states and inputs move to the front.
    void ask(const Member &me, const Layer &layer) {
        const size_t row = apart(hidden);
        if (me.rank == 0) {
            for (int one = 0; one < batch.outputs; one++) {
                const int from = batch.wanted[one];
                __builtin_memmove(states + one * row, states + from * row, hidden * sizeof(float));
                __builtin_memmove(input + one * apart(wide), input + from * apart(wide), hidden * sizeof(Number));
                steps[one] = steps[from];
            }
        }
        me.meet();
        const int panels = hidden / PANEL;
        multiply<By>(layer.query_key_value, input, apart(wide), steps, batch.outputs, me.from(panels), me.to(panels),
                     [&](int one, int output, Floats found) { store(queries + one * row + output, found); });
        me.meet();
    }
};

}  // namespace
