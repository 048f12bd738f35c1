// Pools the tokens of a row, or the rows of a table, to its embedding, and scales it to length 1. Included by
// kernels.cpp.

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

template <typename A>
static void row_means(const RowMeans<A>& k, int64_t begin, int64_t end) {
  typedef A V __attribute__((vector_size(kRegister), aligned(alignof(A)), may_alias));
  constexpr int64_t L = kRegister / sizeof(A), kSums = 8;
  // The rows are scattered over a table that exceeds the caches, so they are fetched some tokens ahead.
  constexpr int64_t kAhead = 4;
  const int64_t all = k.offsets[end];
  for (int64_t row = begin; row < end; ++row) {
    const int64_t first = k.offsets[row], last = k.offsets[row + 1];
    const A weight = static_cast<A>(1 / static_cast<double>(last - first));
    A* out = k.out_RD + row * k.width;
    int64_t i = 0;
    for (; i + kSums * L <= k.width; i += kSums * L) {
      V sums[kSums] = {};
      for (int64_t t = first; t < last; ++t) {
        const A* x = k.table_VD + int64_t{k.ids[t]} * k.width + i;
        if (t + kAhead < all) {
          const A* next = k.table_VD + int64_t{k.ids[t + kAhead]} * k.width + i;
          for (int64_t j = 0; j < kSums * L; j += 64 / sizeof(A)) __builtin_prefetch(next + j);
        }
        for (int64_t j = 0; j < kSums; ++j) {
          V v;
          get(v, x + j * L);
          sums[j] += weight * v;
        }
      }
      for (int64_t j = 0; j < kSums; ++j) *reinterpret_cast<V*>(out + i + j * L) = sums[j];
    }
    fill(out + i, k.width - i, A(0));
    for (int64_t t = first; i < k.width && t < last; ++t) {
      const A* x = k.table_VD + int64_t{k.ids[t]} * k.width;
#pragma omp simd
      for (int64_t j = i; j < k.width; ++j) out[j] += weight * x[j];
    }
    if (k.normalize) normalize(k.width, 1, out);
  }
}
