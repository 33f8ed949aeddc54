// The encoder of ALBERT in training, for x86-64 processors with AVX-512: the forward pass over sequences laid end to
// end, which keeps what the backward pass wants, and that pass. In float32, or with products of bfloat16 whose sums,
// like the states between layers, norms and gradients of weights, are float32.
//
// Weights are shared by runs of a layer, so their gradients are added up where they lie, run after run. Weights of
// attention are computed again from the logarithms of their sums, and the activation from what went into it. There is
// no dropout. All threads work on each step, and meet after it.
//
// Letters: T tokens, P tokens that are wanted, E embedding size, H hidden size.

#include "training.h"
#include "model.h"
#include "threads.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <initializer_list>
#include <type_traits>

#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,fma,bmi,bmi2")

#include "cross_entropy.h"
#include "training_backward.h"
#include "training_forward.h"

namespace {

// A pass by all threads that are to be had.
template <class Pass>
void run_together(Pass &pass, int threads) {
    Team team(threads), alone(1);
    if (workers.run(threads, [&](int rank) { pass.run({team, rank}); }) == 1) pass.run({alone, 0});
}

template <class By>
void measure(const TrainedModel &model, const Batch &batch, bool is_kept, int threads, Room &room) {
    ForwardPass<By> forward(model, batch);
    BackwardPass<By> backward(model, batch, nullptr, nullptr, nullptr);
    room.kept_size = forward.lay_out_kept(nullptr, is_kept);
    room.scratch_size = forward.lay_out_scratch(nullptr, threads);
    if (is_kept) room.scratch_size = std::max(room.scratch_size, backward.lay_out_scratch(nullptr, threads));
}

template <class By>
void go_forward(const TrainedModel &model, const Batch &batch, bool is_kept, int threads, const Room &room) {
    ForwardPass<By> pass(model, batch);
    pass.lay_out_kept(room.kept, is_kept);
    pass.lay_out_scratch(room.scratch, threads);
    run_together(pass, workers.available(threads));
}

template <class By>
void go_back(const TrainedModel &model, const Batch &batch, const float *of_out, float *of_embeddings,
             float *const *gradients, int threads, const Room &room) {
    BackwardPass<By> pass(model, batch, of_out, of_embeddings, gradients);
    pass.lay_out_kept(room.kept, true);
    pass.lay_out_scratch(room.scratch, threads);
    run_together(pass, workers.available(threads));
}

template <class Number>
void find_losses(Number *scores, int64_t rows, int64_t classes, const int64_t *labels, float *losses, int threads) {
    std::atomic<bool> has_failed{false};
    auto some = [&](int rank, int count) {
        auto *memory = reinterpret_cast<float *>(kept.attention.of(classes * sizeof(float)));
        if (!memory) return has_failed.store(true);
        for (int64_t row = rows * rank / count; row < rows * (rank + 1) / count; row++) {
            losses[row] = cross_entropy(scores + row * classes, classes, labels[row], memory);
        }
    };
    const int count = workers.available(threads);
    if (workers.run(count, [&](int rank) { some(rank, count); }) == 1) some(0, 1);
    if (has_failed) std::fill_n(losses, rows, NAN);
}

}  // namespace

// Scores (rows, classes) and labels (rows,), all of them classes -> the loss of each row; scores become the gradient of
// its loss. Without memory all losses are NaN.
extern "C" void albertkit_cross_entropy(void *scores, int32_t precision, int64_t rows, int64_t classes,
                                        const int64_t *labels, float *losses, int32_t threads) {
    if (precision == BF16)
        find_losses(static_cast<uint16_t *>(scores), rows, classes, labels, losses, threads);
    else
        find_losses(static_cast<float *>(scores), rows, classes, labels, losses, threads);
}

// The sizes of the memory that both passes want, or the forward pass alone. Precisions are FP32 and BF16.
extern "C" void albertkit_measure_training(const TrainedModel *model, const Batch *batch, int32_t precision,
                                           int32_t is_kept, int32_t threads, Room *room) {
    if (precision == BF16)
        measure<ByHalves>(*model, *batch, is_kept, threads, *room);
    else
        measure<ByFloats>(*model, *batch, is_kept, threads, *room);
}

// Embeddings -> states, into `batch->out`.
extern "C" void albertkit_train_forward(const TrainedModel *model, const Batch *batch, int32_t precision,
                                        int32_t is_kept, int32_t threads, const Room *room) {
    if (precision == BF16)
        go_forward<ByHalves>(*model, *batch, is_kept, threads, *room);
    else
        go_forward<ByFloats>(*model, *batch, is_kept, threads, *room);
}

// The gradient of states, (P, H) or (T, H) -> that of embeddings (T, E), unless it is null, and what is added to those
// of the weights, which lie as the weights do; null for those that are not wanted.
extern "C" void albertkit_train_backward(const TrainedModel *model, const Batch *batch, const float *of_out,
                                         float *of_embeddings, float *const *gradients, int32_t precision,
                                         int32_t threads, const Room *room) {
    if (precision == BF16)
        go_back<ByHalves>(*model, *batch, of_out, of_embeddings, gradients, threads, *room);
    else
        go_back<ByFloats>(*model, *batch, of_out, of_embeddings, gradients, threads, *room);
}
