// Pools the tokens of a row to its embedding, and scales it to length 1. Included by kernels.cpp.

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
static void weighted_sum_backward(int64_t width, int64_t count, const A* weights, const A* d_out, A* d_x_TD) {
  for (int64_t t = 0; t < count; ++t, d_x_TD += width) {
    const A weight = weights[t];
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) d_x_TD[i] += weight * d_out[i];
  }
}

template <typename A>
static void highest(int64_t width, int64_t count, const A* x_TD, A* out, int32_t* row) {
  for (int64_t i = 0; i < width; ++i) out[i] = x_TD[i];
  for (int64_t i = 0; row != nullptr && i < width; ++i) row[i] = 0;
  for (int64_t t = 1; t < count; ++t) {
    const A* x = x_TD + t * width;
    for (int64_t i = 0; i < width; ++i) {
      // NaN counts as the highest.
      if (!(x[i] > out[i] || (x[i] != x[i] && out[i] == out[i]))) continue;
      out[i] = x[i];
      if (row != nullptr) row[i] = static_cast<int32_t>(t);
    }
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
