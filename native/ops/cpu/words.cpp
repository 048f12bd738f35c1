// Compiled like kernels.cpp once per instruction set.
#include "ops/cpu/words.h"

#define ST_CONCAT(a, b) a##b
#define ST_NAME(prefix, arch) ST_CONCAT(prefix, arch)

namespace st::kernels {
namespace ST_CPU_ARCH {

// Some words are compared with all tokens while their highest logits are in the first cache.
static void take_highest(int64_t words, int64_t count, const float* logits, int64_t stride, int32_t first, float* best,
                         int32_t* winner) {
  constexpr int64_t kTile = 256;
  for (int64_t begin = 0; begin < words; begin += kTile) {
    const int64_t size = words - begin < kTile ? words - begin : kTile;
    float* to = best + begin;
    int32_t* token = winner + begin;
    for (int64_t t = 0; t < count; ++t) {
      const float* x = logits + t * stride + begin;
      const int32_t number = first + static_cast<int32_t>(t);
#pragma omp simd
      for (int64_t i = 0; i < size; ++i) {
        // NaN counts as the highest.
        const bool above = x[i] > to[i] || x[i] != x[i];
        to[i] = above ? x[i] : to[i];
        token[i] = above ? number : token[i];
      }
    }
  }
}

static void add_scaled(int64_t width, float factor, const float* from, float* to) {
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) to[i] += factor * from[i];
}

static void add_winners(int64_t width, int64_t words, const float* d, const int32_t* winner, const float* x_TD,
                        float* d_weight) {
  for (int64_t word = 0; word < words; ++word) {
    if (d[word] != 0) add_scaled(width, d[word], x_TD + winner[word] * width, d_weight + word * width);
  }
}

static void add_to_winners(int64_t width, int64_t words, const float* d, const int32_t* winner, const float* weight,
                           float* d_x_TD) {
  for (int64_t word = 0; word < words; ++word) {
    if (d[word] != 0) add_scaled(width, d[word], weight + word * width, d_x_TD + winner[word] * width);
  }
}

}  // namespace ST_CPU_ARCH

extern const Words ST_NAME(words_, ST_CPU_ARCH);
const Words ST_NAME(words_, ST_CPU_ARCH) = {.take_highest = ST_CPU_ARCH::take_highest,
                                            .add_winners = ST_CPU_ARCH::add_winners,
                                            .add_to_winners = ST_CPU_ARCH::add_to_winners};

}  // namespace st::kernels
