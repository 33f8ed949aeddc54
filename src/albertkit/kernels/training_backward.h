// The backward pass of training.
//
// Letters: see training_pass.h.

#pragma once

#include "attention_gradient.h"
#include "training_pass.h"
#include "weight_gradient.h"

namespace {

// The gradient of a norm's output, (width,), becomes that of its input, and adds to those of scale and bias.
template <class Number>
inline void norm_gradient(float *gradient, const Number *normal, float inverse, const float *scale, int width,
                          float *of_scale, float *of_bias, Number *numbers) {
    Floats sum = _mm512_setzero_ps(), along = _mm512_setzero_ps();
    for (int at = 0; at < width; at += 16) {
        const Floats given = load(gradient + at), x = load(normal + at);
        store(of_scale + at, _mm512_fmadd_ps(given, x, load(of_scale + at)));
        store(of_bias + at, _mm512_add_ps(given, load(of_bias + at)));
        const Floats scaled = _mm512_mul_ps(given, load(scale + at));
        sum = _mm512_add_ps(sum, scaled), along = _mm512_fmadd_ps(scaled, x, along);
    }
    const Floats mean = all(_mm512_reduce_add_ps(sum) / width), slope = all(_mm512_reduce_add_ps(along) / width);
    for (int at = 0; at < width; at += 16) {
        const Floats scaled = _mm512_fmsub_ps(load(gradient + at), load(scale + at), mean);
        const Floats found = _mm512_mul_ps(_mm512_fnmadd_ps(load(normal + at), slope, scaled), all(inverse));
        store(gradient + at, found), store(numbers + at, found);
    }
}

template <class By>
class BackwardPass : public TrainingPass<By> {
    using Base = TrainingPass<By>;
    using Base::model, Base::batch, Base::T, Base::E, Base::H, Base::F, Base::weights, Base::runs, Base::embeddings,
        Base::first;
    using typename Base::Number;
    static constexpr bool IS_ROUGH = sizeof(Number) == 2;
    static constexpr int NORMS = 4;  // scale and bias of two norms

  public:
    BackwardPass(const TrainedModel &model, const Batch &batch, const float *of_out, float *of_embeddings,
                 float *const *gradients)
        : Base(model, batch), of_out(of_out), of_embeddings(of_embeddings), gradients(gradients) {}

    int64_t lay_out_scratch(char *memory, int threads) {
        Arena arena(memory);
        const size_t own = apart(H), P = batch.wanted ? batch.outputs : 0, R = this->most_rows(),
                     width = H / model.heads;
        of_states = arena.take<float>(T * own), of_wanted = arena.take<float>(P * own);
        of_fed = arena.take<Number>(R * own), of_inner = arena.take<Number>(R * apart(F));
        fed = arena.take<Number>(R * apart(F)), of_dense = arena.take<Number>(R * own);
        attended = arena.take<Number>(R * own), of_context = arena.take<Number>(R * own);
        of_query = arena.take<Number>(R * own), of_key_value = arena.take<Number>(T * apart(2 * H));
        input = arena.take<Number>(T * own), wanted_input = arena.take<Number>(P * own);
        of_norms = arena.take<float>(size_t(threads) * NORMS * H);
        weight_gradient.lay_out(arena, std::max({H, F, E}), weights.no_bias(), threads);
        attention_size = AttentionGradient<Number>::bytes(this->longest(), width);
        attention_memory = arena.take<char>(threads * attention_size);
        return arena.size();
    }

    void run(const Member &me) {
        const int last = model.runs - 1;
        float *of_last = this->is_selected(last) ? of_wanted : of_states;
        for (int row = me.from(this->rows_of(last)); row < me.to(this->rows_of(last)); row++) {
            std::copy_n(of_out + size_t(row) * H, H, of_last + row * apart(H));
        }
        for (int run = last; run >= 0; run--) {
            float *rows = this->is_selected(run) ? of_wanted : of_states;
            std::fill_n(of_norms + size_t(me.rank) * NORMS * H, NORMS * H, 0.0f);
            switch (model.activation) {
                case GELU: feed<GELU>(me, run, rows); break;
                case GELU_TANH: feed<GELU_TANH>(me, run, rows); break;
                default: feed<RELU>(me, run, rows);
            }
            me.meet();
            attend(me, run);
            me.meet();
            ask(me, run);
            me.meet();
            add_to_weights(me, run);
        }
        map(me);
    }

  private:
    const float *of_out;
    float *of_embeddings;
    float *const *gradients;
    WeightGradient<By> weight_gradient;
    // Gradients are named for what they are of; all but the first two and `of_norms` are as products take them.
    float *of_states, *of_wanted;                   // (T, H) and (P, H): of the states that a run gives, and behind
    Number *of_fed, *of_inner, *of_dense;           // (R, H), (R, F), (R, H): of outputs of products
    Number *of_context, *of_query, *of_key_value;   // (R, H), (R, H), (T, 2 H)
    Number *fed, *attended, *input, *wanted_input;  // (R, F), (R, H), (T, H), (P, H): inputs of products, found again
    float *of_norms;                                // of each thread (NORMS, H)
    size_t attention_size;
    char *attention_memory;

    // Through the second norm, the feed-forward block, the first norm and the product behind attention, of a member's
    // rows, whose gradient is changed in place.
    template <int activation>
    void feed(const Member &me, int run, float *rows) {
        const auto &kept = runs[run];
        const LayerProducts &layer = this->layer_of(run);
        const size_t own = apart(H), wide = apart(F);
        float *norms = of_norms + size_t(me.rank) * NORMS * H;
        this->in_blocks(me, this->rows_of(run), [&](int start, int count) {
            for (int row = start; row < start + count; row++) {
                norm_gradient(rows + row * own, kept.final + row * own, kept.final_inverse[row],
                              layer.final_norm.weight, H, norms, norms + H, of_fed + row * own);
                this->scale_row(kept.attended + row * own, layer.attention_norm, H, attended + row * own);
            }
            this->product_of(
                layer.back_ffn_output, of_fed + start * own, own, count, [&](int row, int at, Floats found) {
                    const size_t place = (start + row) * wide + at;
                    Floats slope;
                    store(fed + place, activated_and_slope<activation, IS_ROUGH>(load(kept.inner + place), slope));
                    store(of_inner + place, _mm512_mul_ps(found, slope));
                });
            this->product_of(layer.back_ffn, of_inner + start * wide, wide, count, [&](int row, int at, Floats found) {
                float *place = rows + (start + row) * own + at;
                store(place, _mm512_add_ps(found, load(place)));
            });
            for (int row = start; row < start + count; row++) {
                norm_gradient(rows + row * own, kept.attended + row * own, kept.attended_inverse[row],
                              layer.attention_norm.weight, H, norms + 2 * H, norms + 3 * H, of_dense + row * own);
            }
            this->product_of(layer.back_dense, of_dense + start * own, own, count, [&](int row, int at, Floats found) {
                store(of_context + (start + row) * own + at, found);
            });
        });
    }

    void attend(const Member &me, int run) {
        const auto &kept = runs[run];
        const size_t own = apart(H), both = apart(2 * H), R = this->rows_of(run);
        const int width = H / model.heads;
        for (int number = me.rank; number < batch.sequences * model.heads; number += me.team.size) {
            const auto item = this->item_of(number, run);
            const size_t key = item.start * both + item.column, query = item.asked * own + item.column;
            Number *of_key = of_key_value + key;
            if (!item.queries) {
                for (int row = 0; row < item.length; row++) {
                    for (const int at : {0, H}) std::fill_n(of_key + row * both + at, width, Number(0));
                }
                continue;
            }
            AttentionGradient<Number> attention(item.queries, item.length, width,
                                                attention_memory + me.rank * attention_size);
            attention.find(kept.query + query, of_context + query, own, kept.key_value + key, kept.key_value + key + H,
                           both, kept.logarithms + item.head * R + item.asked, of_query + query, of_key, of_key + H);
        }
    }

    // From queries, keys and values to the states that the run was given, of a member's tokens.
    void ask(const Member &me, int run) {
        const LayerProducts &layer = this->layer_of(run);
        const size_t own = apart(H), both = apart(2 * H);
        auto add_to = [&](int row, int at, Floats found) {
            float *place = of_states + row * own + at;
            store(place, _mm512_add_ps(found, load(place)));
        };
        this->in_blocks(me, T, [&](int start, int count) {
            if (this->is_selected(run)) {
                const int32_t *end = batch.wanted + batch.outputs;
                const int from = int(std::lower_bound(batch.wanted, end, start) - batch.wanted),
                          to = int(std::lower_bound(batch.wanted, end, start + count) - batch.wanted);
                for (int row = start; row < start + count; row++) std::fill_n(of_states + row * own, H, 0.0f);
                for (int row = from; row < to; row++) {
                    for (int at = 0; at < H; at += 16) add_to(batch.wanted[row], at, load(of_wanted + row * own + at));
                }
                this->product_of(layer.back_query, of_query + from * own, own, to - from,
                                 [&](int row, int at, Floats found) { add_to(batch.wanted[from + row], at, found); });
            } else {
                this->product_of(layer.back_query, of_query + start * own, own, count,
                                 [&](int row, int at, Floats found) { add_to(start + row, at, found); });
            }
            this->product_of(layer.back_key_value, of_key_value + start * both, both, count,
                             [&](int row, int at, Floats found) { add_to(start + row, at, found); });
            for (int row = start; row < start + count && run; row++) {
                this->scale_row(runs[run - 1].final + row * own, this->layer_of(run - 1).final_norm, H,
                                input + row * own);
            }
        });
    }

    float *gradient_of(int run, int part) const {
        return gradients[OF_MAPPING + model.layer_of_run[run] * PARTS + part];
    }

    void add_to_weights(const Member &me, int run) {
        const size_t own = apart(H), both = apart(2 * H);
        const int R = this->rows_of(run);
        const Number *x = run ? input : first;
        auto target = [&](const Number *of_output, size_t stride, int outputs, int part) {
            return WeightTarget<Number>{of_output, stride, outputs, gradient_of(run, part), gradient_of(run, part + 1)};
        };
        weight_gradient.add(me, fed, apart(F), F, R, {target(of_fed, own, H, FFN_OUTPUT)});
        weight_gradient.add(me, attended, own, H, R, {target(of_inner, apart(F), F, FFN)});
        weight_gradient.add(me, runs[run].context, own, H, R, {target(of_dense, own, H, DENSE)});
        const auto of_query = target(this->of_query, own, H, QUERY), of_key = target(of_key_value, both, H, KEY),
                   of_value = target(of_key_value + H, both, H, VALUE);
        if (this->is_selected(run)) {
            for (int row = me.from(R); row < me.to(R); row++) {
                std::copy_n(x + batch.wanted[row] * own, H, wanted_input + row * own);
            }
            me.meet();
            weight_gradient.add(me, wanted_input, own, H, R, {of_query});
            weight_gradient.add(me, x, own, H, T, {of_key, of_value});
        } else {
            weight_gradient.add(me, x, own, H, T, {of_query, of_key, of_value});
        }
        if (me.rank == 0) {
            int number = 0;
            for (const int part : {FINAL_NORM, FINAL_NORM_BIAS, ATTENTION_NORM, ATTENTION_NORM_BIAS}) {
                float *to = gradient_of(run, part);
                for (int rank = 0; to && rank < me.team.size; rank++) {
                    const float *from = of_norms + (size_t(rank) * NORMS + number) * H;
                    for (int at = 0; at < H; at += 16) store(to + at, _mm512_add_ps(load(to + at), load(from + at)));
                }
                number++;
            }
        }
        me.meet();
    }

    void map(const Member &me) {
        const size_t own = apart(H);
        this->in_blocks(me, T, [&](int start, int count) {
            for (int row = start; row < start + count; row++) {
                for (int at = 0; at < H; at += 16) store(of_fed + row * own + at, load(of_states + row * own + at));
            }
            if (!of_embeddings) return;
            this->product_of(
                weights.back_mapping, of_fed + start * own, own, count,
                [&](int row, int at, Floats found) { store(of_embeddings + size_t(start + row) * E + at, found); });
        });
        weight_gradient.add(me, embeddings, apart(E), E, T,
                            {WeightTarget<Number>{of_fed, own, H, gradients[0], gradients[1]}});
    }
};

}  // namespace
