// The forward pass of training.
//
// Letters: see training_pass.h.

#pragma once

#include "attention.h"
#include "training_pass.h"

namespace {

// A row of floats, normalised: as floats, as numbers, and before scale and bias. -> the inverse of its deviation
template <class Number>
inline float normalise_and_keep(const float *x, const Norm &norm, int width, float epsilon, float *out, Number *numbers,
                                Number *normal) {
    return normalise(x, norm, width, epsilon, [&](int at, Floats found, Floats scaled) {
        store(normal + at, found), store(out + at, scaled), store(numbers + at, scaled);
    });
}

template <class By>
class ForwardPass : public TrainingPass<By> {
    using Base = TrainingPass<By>;
    using Base::model, Base::batch, Base::T, Base::E, Base::H, Base::F, Base::weights, Base::runs, Base::places,
        Base::embeddings, Base::first;
    using typename Base::Number;
    static constexpr bool IS_ROUGH = sizeof(Number) == 2;

  public:
    using Base::Base;

    int64_t lay_out_scratch(char *memory, int threads) {
        Arena arena(memory);
        const size_t own = apart(H), P = batch.wanted ? batch.outputs : 0;
        states = arena.take<float>(T * own), wanted_states = arena.take<float>(P * own);
        input = arena.take<Number>(T * own), wanted_input = arena.take<Number>(P * own);
        sums = arena.take<float>(threads * ROWS_AT_ONCE * own),
        attended = arena.take<float>(threads * ROWS_AT_ONCE * own);
        attended_numbers = arena.take<Number>(threads * ROWS_AT_ONCE * own);
        inner = arena.take<Number>(threads * ROWS_AT_ONCE * apart(F));
        attention_size = Attention<Number>::bytes(this->longest(), H / model.heads);
        attention_memory = arena.take<char>(threads * attention_size);
        return arena.size();
    }

    void run(const Member &me) {
        weights.pack(me);
        if (me.rank == 0) this->find_places();
        me.meet();
        map(me);
        for (int run = 0; run < model.runs; run++) {
            ask(me, run);
            me.meet();
            attend(me, run);
            me.meet();
            switch (model.activation) {
                case GELU: feed<GELU>(me, run); break;
                case GELU_TANH: feed<GELU_TANH>(me, run); break;
                default: feed<RELU>(me, run);
            }
        }
        me.meet();
    }

  private:
    float *states, *wanted_states;     // (T, H), (P, H)
    Number *input, *wanted_input;      // the same as products take them
    float *sums, *attended;            // of each thread (ROWS_AT_ONCE, H)
    Number *attended_numbers, *inner;  // of each thread (ROWS_AT_ONCE, H) and (ROWS_AT_ONCE, F)
    size_t attention_size;
    char *attention_memory;

    void map(const Member &me) {
        const size_t own = apart(H);
        this->in_blocks(me, T, [&](int start, int count) {
            for (int row = start; row < start + count; row++) {
                for (int at = 0; at < E; at += 16) {
                    store(embeddings + row * apart(E) + at, load(batch.embeddings + size_t(row) * E + at));
                }
            }
            this->product_of(weights.mapping, embeddings + start * apart(E), apart(E), count,
                             [&](int row, int at, Floats found) {
                                 store(states + (start + row) * own + at, found);
                                 store(first + (start + row) * own + at, found);
                             });
        });
    }

    // Queries, keys and values, of a member's rows.
    void ask(const Member &me, int run) {
        const auto &kept = runs[run];
        const Product &product = this->layer_of(run).query_key_value;
        const Number *x = run ? input : first;
        const size_t own = apart(H), both = apart(2 * H);
        const bool is_selected = this->is_selected(run);
        const int of_queries = H / PANEL;
        this->in_blocks(me, T, [&](int start, int count) {
            this->product_of(product, x + start * own, own, count, is_selected ? of_queries : 0, 3 * of_queries,
                             [&](int row, int at, Floats found) {
                                 if (at < H)
                                     store(kept.query + (start + row) * own + at, found);
                                 else
                                     store(kept.key_value + (start + row) * both + at - H, found);
                             });
        });
        if (!is_selected) return;
        me.meet();  // rows of others are wanted
        this->in_blocks(me, batch.outputs, [&](int start, int count) {
            for (int row = start; row < start + count; row++) {
                std::copy_n(x + batch.wanted[row] * own, H, wanted_input + row * own);
                std::copy_n(states + batch.wanted[row] * own, H, wanted_states + row * own);
            }
            this->product_of(
                product, wanted_input + start * own, own, count, 0, of_queries,
                [&](int row, int at, Floats found) { store(kept.query + (start + row) * own + at, found); });
        });
    }

    void attend(const Member &me, int run) {
        const auto &kept = runs[run];
        const size_t own = apart(H), both = apart(2 * H), rows = this->rows_of(run);
        const int width = H / model.heads;
        for (int number = me.rank; number < batch.sequences * model.heads; number += me.team.size) {
            const auto item = this->item_of(number, run);
            if (!item.queries) continue;
            Attention<Number> attention(item.length, width, attention_memory + me.rank * attention_size);
            const Number *key = kept.key_value + item.start * both + item.column;
            attention.read(key, key + H, both);
            const size_t at = item.asked * own + item.column;
            attention.answer(kept.query + at, own, item.queries, kept.context + at, own,
                             kept.logarithms + item.head * rows + item.asked);
        }
    }

    // From the answers of attention to the input of the next run, of a member's rows.
    template <int activation>
    void feed(const Member &me, int run) {
        const auto &kept = runs[run];
        const LayerProducts &layer = this->layer_of(run);
        const size_t own = apart(H), wide = apart(F), part = size_t(me.rank) * ROWS_AT_ONCE;
        const bool is_last = run == model.runs - 1;
        const float *before = this->is_selected(run) ? wanted_states : states;
        float *const sum = sums + part * own, *const after = attended + part * own;
        Number *const numbers = attended_numbers + part * own, *const fed = inner + part * wide;
        this->in_blocks(me, this->rows_of(run), [&](int start, int count) {
            this->product_of(layer.dense, kept.context + start * own, own, count, [&](int row, int at, Floats found) {
                store(sum + row * own + at, _mm512_add_ps(found, load(before + (start + row) * own + at)));
            });
            for (int row = 0; row < count; row++) {
                kept.attended_inverse[start + row] =
                    normalise_and_keep(sum + row * own, layer.attention_norm, H, model.epsilon, after + row * own,
                                       numbers + row * own, kept.attended + (start + row) * own);
            }
            this->product_of(layer.ffn, numbers, own, count, [&](int row, int at, Floats found) {
                store(kept.inner + (start + row) * wide + at, found);
                store(fed + row * wide + at, activated<activation, IS_ROUGH>(found));
            });
            this->product_of(layer.ffn_output, fed, wide, count, [&](int row, int at, Floats found) {
                store(sum + row * own + at, _mm512_add_ps(found, load(after + row * own + at)));
            });
            for (int row = 0; row < count; row++) {
                const size_t at = start + row;
                float *out = is_last ? batch.out + at * H : states + at * own;
                kept.final_inverse[at] =
                    normalise_and_keep(sum + row * own, layer.final_norm, H, model.epsilon, out,
                                       is_last ? numbers : input + at * own, kept.final + at * own);
            }
        });
    }
};

}  // namespace
