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

static void halves(int64_t count, const uint16_t* from, float* out) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t half = from[i], size = (half & 0x7FFFu) << 13, exponent = size & 0x0F800000u;
    // Infinity and NaN keep the highest exponent; below the smallest normal half the fraction counts from 2^-14 on.
    const uint32_t bits = size + (exponent == 0x0F800000u ? 0x70000000u : exponent == 0 ? 0x38800000u : 0x38000000u);
    float number;
    __builtin_memcpy(&number, &bits, 4);
    number = exponent == 0 ? number - 0x1p-14f : number;
    out[i] = (half & 0x8000u) != 0 ? -number : number;
  }
}

static void scaled_bytes(int64_t width, int64_t count, const int8_t* codes_RD, const float* scales, const float* shifts,
                         float* out_RD) {
  for (int64_t r = 0; r < count; ++r) {
    const int8_t* row = codes_RD + r * width;
    float* out = out_RD + r * width;
    int64_t d = 0;
    for (; d + kLanes <= width; d += kLanes) {
      *reinterpret_cast<Vector*>(out + d) = floats_of(row + d) * *reinterpret_cast<const Vector*>(scales + d) +
                                            *reinterpret_cast<const Vector*>(shifts + d);
    }
    for (; d < width; ++d) out[d] = static_cast<float>(row[d]) * scales[d] + shifts[d];
  }
}

static void signs(int64_t width, int64_t count, const uint8_t* rows, float* out_RD) {
  const int64_t bytes = (width + 7) / 8;
  for (int64_t r = 0; r < count; ++r) {
    const uint8_t* row = rows + r * bytes;
    float* out = out_RD + r * width;
    for (int64_t d = 0; d < width; d += 8) {
      const uint32_t byte = row[d / 8] ^ 0x80u;
      const int64_t size = width - d < 8 ? width - d : 8;
      for (int64_t i = 0; i < size; ++i) out[d + i] = (byte >> (7 - i) & 1u) != 0 ? 1.0f : -1.0f;
    }
  }
}

}  // namespace ST_CPU_ARCH

extern const CodeScores ST_NAME(code_scores_, ST_CPU_ARCH);
const CodeScores ST_NAME(code_scores_, ST_CPU_ARCH) = {
    .different_bits = ST_CPU_ARCH::different_bits,
    .byte_products = ST_CPU_ARCH::byte_products,
    .halves = ST_CPU_ARCH::halves,
    .scaled_bytes = ST_CPU_ARCH::scaled_bytes,
    .signs = ST_CPU_ARCH::signs,
};

}  // namespace st::kernels
