// The weights of a model in training, float32 as PyTorch keeps them, laid out as products read them.
//
// Letters: E embedding size, H hidden size, F feed-forward width; N outputs and K inputs of a weight (N, K).

#pragma once

#include "layouts.h"
#include "model.h"
#include "threads.h"
#include "training.h"

namespace {

// Hands out parts of a piece of memory; of none, it counts what would be handed out.
class Arena {
  public:
    explicit Arena(char *start) : start(start) {}

    template <class Item>
    Item *take(size_t count) {
        char *found = start ? start + used : nullptr;
        used += (count * sizeof(Item) + 63) / 64 * 64;
        return reinterpret_cast<Item *>(found);
    }

    bool has_memory() const { return start; }
    int64_t size() const { return int64_t(used); }

  private:
    char *start;
    size_t used = 0;
};

// The products of a layer. Those that go back take the gradient of outputs to that of inputs.
struct LayerProducts {
    Product query_key_value, dense, ffn, ffn_output;
    Product back_query, back_key_value, back_dense, back_ffn, back_ffn_output;
    Norm attention_norm, final_norm;
};

// Panels `from` to `to` of (N, K) -> [N / 32][K words][32].
template <class Number>
void pack_forward(const float *weight, int inputs, int from, int to, int32_t *out) {
    constexpr int per_word = 4 / sizeof(Number), width = 16 * per_word;
    alignas(64) Number part[16][width];
    for (int row = from * PANEL; row < to * PANEL; row += 16) {
        int32_t *panel = out + size_t(row / PANEL) * (inputs / per_word) * PANEL + row % PANEL;
        for (int column = 0; column < inputs; column += width) {
            for (int one = 0; one < 16; one++) {
                const float *x = weight + size_t(row + one) * inputs + column;
                for (int at = 0; at < width; at += 16) store(part[one] + at, load(x + at));
            }
            transpose(reinterpret_cast<const int32_t *>(part), 16, 16, panel + column / per_word * PANEL, PANEL);
        }
    }
}

// Panels `from` to `to` of (N, K) -> [K / 32][N words][32], where a panel is `words` long in all.
template <class Number>
void pack_back(const float *weight, int outputs, int inputs, int from, int to, int words, int32_t *out) {
    constexpr int per_word = 4 / sizeof(Number);
    alignas(64) Number part[per_word][PANEL];
    for (int panel = from; panel < to; panel++) {
        int32_t *at = out + size_t(panel) * words * PANEL;
        for (int row = 0; row < outputs; row += per_word, at += PANEL) {
            for (int one = 0; one < per_word; one++) {
                const float *x = weight + size_t(row + one) * inputs + panel * PANEL;
                store(part[one], load(x)), store(part[one] + 16, load(x + 16));
            }
            interleave(part[0], PANEL, true, at);
        }
    }
}

template <class Number>
class TrainingWeights {
  public:
    Product mapping, back_mapping;
    LayerProducts *layers;

    TrainingWeights(const TrainedModel &model) : model(model) {}

    void lay_out(Arena &arena) {
        const int H = model.hidden, F = model.inner, E = model.embedding;
        zeros = arena.take<float>(std::max({3 * H, F, E}));
        layers = arena.take<LayerProducts>(model.layers);
        mapping = product(arena, E, H, model.weights[1]), back_mapping = product(arena, H, E, zeros);
        for (int layer = 0; layer < model.layers; layer++) {
            float *bias = arena.take<float>(3 * H);
            const auto part = [&](int one) { return of(layer, one); };
            const LayerProducts made = {product(arena, H, 3 * H, bias),
                                        product(arena, H, H, part(DENSE_BIAS)),
                                        product(arena, H, F, part(FFN_BIAS)),
                                        product(arena, F, H, part(FFN_OUTPUT_BIAS)),
                                        product(arena, H, H, zeros),
                                        product(arena, 2 * H, H, zeros),
                                        product(arena, H, H, zeros),
                                        product(arena, F, H, zeros),
                                        product(arena, H, F, zeros),
                                        {part(ATTENTION_NORM), part(ATTENTION_NORM_BIAS)},
                                        {part(FINAL_NORM), part(FINAL_NORM_BIAS)}};
            if (arena.has_memory()) layers[layer] = made;
        }
    }

    // Each member packs some panels of every weight.
    void pack(const Member &me) {
        const int H = model.hidden, F = model.inner, E = model.embedding;
        if (me.rank == 0) std::fill_n(zeros, std::max({3 * H, F, E}), 0.0f);
        pack(me, model.weights[0], mapping, 0, back_mapping, 0, H, E);
        for (int layer = 0; layer < model.layers; layer++) {
            LayerProducts &to = layers[layer];
            pack(me, of(layer, QUERY), to.query_key_value, 0, to.back_query, 0, H, H);
            pack(me, of(layer, KEY), to.query_key_value, H, to.back_key_value, 0, H, H);
            pack(me, of(layer, VALUE), to.query_key_value, 2 * H, to.back_key_value, H, H, H);
            pack(me, of(layer, DENSE), to.dense, 0, to.back_dense, 0, H, H);
            pack(me, of(layer, FFN), to.ffn, 0, to.back_ffn, 0, F, H);
            pack(me, of(layer, FFN_OUTPUT), to.ffn_output, 0, to.back_ffn_output, 0, H, F);
            if (me.rank) continue;
            auto *bias = const_cast<float *>(to.query_key_value.bias);
            for (const int part : {QUERY_BIAS, KEY_BIAS, VALUE_BIAS}) bias = std::copy_n(of(layer, part), H, bias);
        }
    }

    const float *no_bias() const { return zeros; }

  private:
    static constexpr int PER_WORD = 4 / sizeof(Number);
    const TrainedModel &model;
    float *zeros = nullptr;

    const float *of(int layer, int part) const { return model.weights[OF_MAPPING + layer * PARTS + part]; }

    static Product product(Arena &arena, int inputs, int outputs, const float *bias) {
        const int32_t *weight = arena.take<int32_t>(size_t(inputs) / PER_WORD * outputs);
        return {weight, nullptr, nullptr, bias, nullptr, nullptr, inputs, outputs};
    }

    // A weight (N, K) from output `first` on of the one product, and from input `first_back` on of the other.
    static void pack(const Member &me, const float *weight, const Product &to, int first, const Product &back,
                     int first_back, int outputs, int inputs) {
        auto *forward = const_cast<int32_t *>(to.weight) + size_t(first) * (inputs / PER_WORD);
        pack_forward<Number>(weight, inputs, me.from(outputs / PANEL), me.to(outputs / PANEL), forward);
        auto *backward = const_cast<int32_t *>(back.weight) + size_t(first_back) / PER_WORD * PANEL;
        pack_back<Number>(weight, outputs, inputs, me.from(inputs / PANEL), me.to(inputs / PANEL),
                          back.inputs / PER_WORD, backward);
    }
};

}  // namespace
