// The encoder with AVX2 and FMA, and with ALBERTKIT_AVX_VNNI bytes by AVX-VNNI.

#define ALBERTKIT_AVX2

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
#pragma GCC target("avx2,fma,bmi,bmi2")

#include "dense.h"
#include "encode.h"

namespace {

bool encode_in(const Model &model, const Batch &batch, Precision precision, int threads) {
    if (precision == FP32) return encode<ByFloats, float>(model, batch, threads);
    return encode<ByBytes, float>(model, batch, threads);
}

}  // namespace

#ifdef ALBERTKIT_AVX_VNNI
const albertkit::Level albertkit::avx2_vnni = {PANEL, ByBytes::AT_ONCE, encode_in, embed, dense};
#else
const albertkit::Level albertkit::avx2 = {PANEL, ByBytes::AT_ONCE, encode_in, embed, dense};
#endif
