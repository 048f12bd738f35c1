// Products of few rows with a matrix that lies as [columns, depth] and is not packed: packing would take about as long
// as the product. Included by kernels.cpp. Sums along the depth stay in registers: kFewRows rows by kOutputs columns.

#include "ops/cpu/simd.inl"

#if defined(__AVX512F__)
constexpr int kFewRows = 8, kOutputs = 3;
#else
constexpr int kFewRows = 6, kOutputs = 2;
#endif

// out[R, C] = a[R, depth] matrix[C, depth]'. Draws in the C columns behind meanwhile: of short columns, the processor
// begins to fetch the next ones too late by itself.
template <int R, int C>
static void few_block(int64_t depth, const float* a, int64_t a_stride, const float* matrix, bool draws_next, float* out,
                      int64_t out_stride) {
  typedef float V __attribute__((vector_size(kRegister), aligned(alignof(float)), may_alias));
  constexpr int64_t L = kRegister / sizeof(float);
  V sum[R][C] = {};
  int64_t k = 0;
  for (; k + L <= depth; k += L) {
    V columns[C] = {};
    for (int c = 0; c < C; ++c) {
      columns[c] = *reinterpret_cast<const V*>(matrix + c * depth + k);
      if (draws_next) __builtin_prefetch(matrix + (C + c) * depth + k);
    }
    for (int r = 0; r < R; ++r) {
      V x = *reinterpret_cast<const V*>(a + r * a_stride + k);
#if defined(__AVX512F__)
      asm("" : "+v"(x));  // read once: GCC reads it again for each column
#endif
      for (int c = 0; c < C; ++c) sum[r][c] += x * columns[c];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) {
      float total = sum_lanes<float, kRegister>(reinterpret_cast<const float*>(&sum[r][c]));
      for (int64_t rest = k; rest < depth; ++rest) total += a[r * a_stride + rest] * matrix[c * depth + rest];
      out[r * out_stride + c] = total;
    }
  }
}

template <int R, int C>
ST_INLINE void few_rows(int64_t rows, int64_t depth, const float* a, int64_t a_stride, const float* matrix,
                        bool draws_next, float* out, int64_t out_stride) {
  if constexpr (R > 0) {
    if (rows != R) return few_rows<R - 1, C>(rows, depth, a, a_stride, matrix, draws_next, out, out_stride);
    few_block<R, C>(depth, a, a_stride, matrix, draws_next, out, out_stride);
  }
}

static void multiply_few(const float* a, int64_t a_stride, int64_t rows, const float* matrix, int64_t depth,
                         int64_t columns, float* out, int64_t out_stride) {
  for (int64_t n = 0; n < columns;) {
    const bool full = n + kOutputs <= columns;
    for (int64_t r = 0; r < rows; r += kFewRows) {
      const int64_t count = rows - r < kFewRows ? rows - r : kFewRows;
      const float *a_r = a + r * a_stride, *matrix_n = matrix + n * depth;
      float* to = out + r * out_stride + n;
      if (full) {
        few_rows<kFewRows, kOutputs>(count, depth, a_r, a_stride, matrix_n, r == 0, to, out_stride);
      } else {
        few_rows<kFewRows, 1>(count, depth, a_r, a_stride, matrix_n, r == 0, to, out_stride);
      }
    }
    n += full ? kOutputs : 1;
  }
}
