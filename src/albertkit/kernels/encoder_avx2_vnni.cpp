// The encoder with AVX2, FMA and AVX-VNNI.

#include "levels.h"

#ifdef ALBERTKIT_KNOWS_AVX_VNNI
#define ALBERTKIT_AVX_VNNI
#include "encoder_avx2.cpp"
#endif
