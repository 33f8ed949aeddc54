// The encoder with AVX-512: bytes by VNNI, bfloat16 by the instructions for it.

#include "cuts.h"
#include "levels.h"
#include "threads.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <initializer_list>
#include <type_traits>
#include <utility>

// What stands above runs on any processor, as when the library is loaded or the process forks; what follows does not.
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,fma,bmi,bmi2")

#include "dense.h"
#include "encode.h"

namespace {

bool encode_in(const Model &model, const Batch &batch, Precision precision, int threads) {
    switch (precision) {
        case FP32: return encode<ByFloats, float>(model, batch, threads);
        case BF16: return encode<ByHalves, uint16_t>(model, batch, threads);
        default: break;
    }
    if (__builtin_cpu_supports("avx512bf16")) return encode<ByBytes, uint16_t>(model, batch, threads);
    return encode<ByBytes, float>(model, batch, threads);
}

}  // namespace

const albertkit::Level albertkit::avx512 = {PANEL, ByBytes::AT_ONCE, encode_in, embed, dense};
