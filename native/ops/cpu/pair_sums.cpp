// Compiled like kernels.cpp once per instruction set, but without fused operations, which would round differently.
#include "ops/cpu/pair_sums.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#define ST_CONCAT(a, b) a##b
#define ST_NAME(prefix, arch) ST_CONCAT(prefix, arch)

namespace st::kernels {
namespace ST_CPU_ARCH {

#define ST_INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)
constexpr int kLanes = 8;
#elif defined(__AVX2__)
constexpr int kLanes = 4;
#else
constexpr int kLanes = 2;
#endif
constexpr int kSums = 8;
constexpr int kVectors = kSums / kLanes;
constexpr int kRows =
    4;  // at a time, because additions of one sum wait for each other and those of several rows do not

typedef float Floats __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef double Vector __attribute__((vector_size(8 * kLanes)));

ST_INLINE Vector load(const float* from) {
#if defined(__AVX512F__)
  return _mm512_cvtps_pd(_mm256_loadu_ps(from));  // GCC 12 makes two halves of the line below
#else
  return __builtin_convertvector(*reinterpret_cast<const Floats*>(from), Vector);
#endif
}

struct Product {
  ST_INLINE Vector of(Vector x, Vector y) { return x * y; }
};
struct SquaredDifference {
  ST_INLINE Vector of(Vector x, Vector y) { return (x - y) * (x - y); }
};
struct Difference {
  ST_INLINE Vector of(Vector x, Vector y) {
    const Vector difference = x - y;
    return difference < 0 ? -difference : difference;
  }
};

// Adds the terms of eight elements of x and of a row. x: null for the row with itself.
template <typename Op>
ST_INLINE void add(const float* x, const float* row, Vector* sums) {
  for (int v = 0; v < kVectors; ++v) {
    const Vector right = load(row + v * kLanes);
    sums[v] += Op::of(x == nullptr ? right : load(x + v * kLanes), right);
  }
}

ST_INLINE double total(const Vector* s) {
  const auto sum = [s](int i) { return s[i / kLanes][i % kLanes]; };
  return ((sum(0) + sum(1)) + (sum(2) + sum(3))) + ((sum(4) + sum(5)) + (sum(6) + sum(7)));
}

template <typename Op, int R>
ST_INLINE void sum_rows(int64_t width, const float* x, const float* const* rows, double* out) {
  Vector sums[R][kVectors] = {};
  int64_t i = 0;
  for (; i + kSums <= width; i += kSums) {
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) add<Op>(x == nullptr ? x : x + i, rows[r] + i, sums[r]);
  }
  if (i < width) {
    // The zeros after the end add nothing.
    float own[kSums] = {}, other[kSums] = {};
    for (int64_t j = i; j < width && x != nullptr; ++j) own[j - i] = x[j];
    for (int r = 0; r < R; ++r) {
      for (int64_t j = i; j < width; ++j) other[j - i] = rows[r][j];
      add<Op>(x == nullptr ? x : own, other, sums[r]);
    }
  }
  for (int r = 0; r < R; ++r) out[r] = total(sums[r]);
}

template <typename Op>
static void with_rows(int64_t width, const float* x, int64_t count, const float* const* rows, double* out) {
  int64_t r = 0;
  for (; r + kRows <= count; r += kRows) sum_rows<Op, kRows>(width, x, rows + r, out + r);
  for (; r < count; ++r) sum_rows<Op, 1>(width, x, rows + r, out + r);
}

static void squares(int64_t width, int64_t count, const float* x_RD, double* out) {
  for (int64_t r = 0; r < count; r += kRows) {
    const float* rows[kRows];
    for (int64_t i = 0; i < kRows; ++i) rows[i] = x_RD + (r + i) * width;
    if (r + kRows <= count) {
      sum_rows<Product, kRows>(width, nullptr, rows, out + r);
    } else {
      for (int64_t i = 0; r + i < count; ++i) sum_rows<Product, 1>(width, nullptr, rows + i, out + r + i);
    }
  }
}

static void scale(int64_t width, double factor, const float* from, float* to) {
  for (int64_t i = 0; i < width; ++i) to[i] = static_cast<float>(from[i] * factor);
}

}  // namespace ST_CPU_ARCH

extern const PairSums ST_NAME(pair_sums_, ST_CPU_ARCH);
const PairSums ST_NAME(pair_sums_, ST_CPU_ARCH) = {
    ST_CPU_ARCH::with_rows<ST_CPU_ARCH::Product>, ST_CPU_ARCH::with_rows<ST_CPU_ARCH::SquaredDifference>,
    ST_CPU_ARCH::with_rows<ST_CPU_ARCH::Difference>, ST_CPU_ARCH::squares, ST_CPU_ARCH::scale};

}  // namespace st::kernels
