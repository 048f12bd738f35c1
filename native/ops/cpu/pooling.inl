// Sums over rows: of a batch's tokens, of a sentence's squares. Included by kernels.cpp.

#include "ops/cpu/simd.inl"

template <typename A>
static void weighted_sum(int64_t width, int64_t count, const A* weights, const A* x_TD, A* out) {
  fill(out, width, A(0));
  for (int64_t t = 0; t < count; ++t, x_TD += width) {
    const A weight = weights[t];
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) out[i] += weight * x_TD[i];
  }
}

template <typename A>
static void normalize(int64_t width, int64_t count, A* x_RD) {
  for (int64_t row = 0; row < count; ++row, x_RD += width) {
    const A squares = sum_columns<A>(width, [&](int64_t i, auto& v) {
      get(v, x_RD + i);
      v *= v;
    });
    const A length = root(squares), scale = A(1) / (length < A(1e-12) ? A(1e-12) : length);
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) x_RD[i] *= scale;
  }
}
