// Compiled like kernels.cpp once per instruction set.
#include "ops/cpu/code_scores.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define ST_CONCAT(a, b) a##b
#define ST_NAME(prefix, arch) ST_CONCAT(prefix, arch)

namespace st::kernels {
namespace ST_CPU_ARCH {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
constexpr int kSums = 4;  // additions of one sum wait for each other
constexpr int kStep = kSums * kLanes;

typedef float Vector __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
[[maybe_unused]] typedef signed char Bytes __attribute__((vector_size(kLanes), aligned(1), may_alias));

// GCC converts bytes to floats one by one.
static inline __attribute__((always_inline)) Vector floats_of(const int8_t* from) {
#if defined(__AVX512F__)
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#elif defined(__AVX2__)
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#else
  return __builtin_convertvector(*reinterpret_cast<const Bytes*>(from), Vector);
#endif
}

static void different_bits(int64_t words, const uint64_t* query, int64_t count, const uint64_t* codes_RW,
                           int32_t* out) {
  for (int64_t r = 0; r < count; ++r) {
    const uint64_t* row = codes_RW + r * words;
    int64_t bits = 0;
    for (int64_t w = 0; w < words; ++w) bits += __builtin_popcountll(query[w] ^ row[w]);
    out[r] = static_cast<int32_t>(bits);
  }
}

static void byte_products(int64_t width, const float* query, int64_t count, const int8_t* codes_RD, float* out) {
  for (int64_t r = 0; r < count; ++r) {
    const int8_t* row = codes_RD + r * width;
    Vector sums[kSums] = {};
    int64_t d = 0;
    for (; d + kStep <= width; d += kStep) {
      for (int s = 0; s < kSums; ++s) {
        const int64_t at = d + s * kLanes;
        sums[s] += *reinterpret_cast<const Vector*>(query + at) * floats_of(row + at);
      }
    }
    const Vector all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    float sum = 0;
    for (int i = 0; i < kLanes; ++i) sum += all[i];
    for (; d < width; ++d) sum += query[d] * row[d];
    out[r] = sum;
  }
}

}  // namespace ST_CPU_ARCH

extern const CodeScores ST_NAME(code_scores_, ST_CPU_ARCH);
const CodeScores ST_NAME(code_scores_, ST_CPU_ARCH) = {ST_CPU_ARCH::different_bits, ST_CPU_ARCH::byte_products};

}  // namespace st::kernels
