// Matrix products in bfloat16 with AVX512-BF16, which multiplies pairs of depth and adds both to a float. Compiled with
// its own flags, and without any header whose inline functions the linker could keep in place of those for every
// processor.
#include <immintrin.h>

#include "ops/cpu/products.h"

namespace st::kernels {

namespace {

#include "ops/cpu/transpose.inl"

constexpr int kRows = 8, kVectors = 3;  // of the sums that stay in registers
constexpr int64_t kLanes = 16, kPanel = kVectors * kLanes;
constexpr int64_t kPair = 2;
constexpr int64_t kStep = kPanel * kPair;  // elements of a panel for a pair of depth
constexpr int64_t kLine = 32;              // elements of a cache line
constexpr int64_t kDepth = 768;            // of a block: its panel stays in the first and second cache
constexpr int kFewRows = 8, kOutputs = 3;  // of sums along the depth

int64_t whole(int64_t depth) {
  return (depth + kPair - 1) / kPair * kPair;
}

__mmask16 first_lanes(int64_t count) {
  return count >= kLanes ? 0xFFFF : static_cast<__mmask16>(count > 0 ? (1u << count) - 1 : 0);
}

__m512bh as_bf16(__m512i bits) {
  __m512bh out;
  __builtin_memcpy(&out, &bits, sizeof(out));
  return out;
}

// Where a pair of A for row r and depth k lies: from + r * row + k / 2 * pair.
struct Rows {
  const Bf16* from;
  int64_t row, pair;
};

// out[R, columns <= 48] (+)= A B for one panel. Prefetches a line of `next` for each pair of depth.
template <int R>
void block(int64_t depth, const Rows& a, const Bf16* panel, const Bf16* next, float* out, int64_t out_stride,
           int64_t columns, bool accumulate) {
  __m512 sum[R][kVectors];
  for (int v = 0; v < kVectors; ++v) {
    const __mmask16 lanes = first_lanes(columns - v * kLanes);
    for (int r = 0; r < R; ++r) {
      sum[r][v] = accumulate ? _mm512_maskz_loadu_ps(lanes, out + r * out_stride + v * kLanes) : _mm512_setzero_ps();
    }
  }
#pragma GCC unroll 4
  for (int64_t k = 0; k < depth; k += kPair) {
    _mm_prefetch(next + k / kPair * kLine, _MM_HINT_T1);
    __m512bh row[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      row[v] = as_bf16(_mm512_loadu_si512(panel + k * kPanel + v * kLanes * kPair));
    }
    for (int r = 0; r < R; ++r) {
      int32_t pair;
      __builtin_memcpy(&pair, a.from + r * a.row + k / kPair * a.pair, sizeof(pair));
      const __m512bh x = as_bf16(_mm512_set1_epi32(pair));
      for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], x, row[v]);
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    const __mmask16 lanes = first_lanes(columns - v * kLanes);
    for (int r = 0; r < R; ++r) _mm512_mask_storeu_ps(out + r * out_stride + v * kLanes, lanes, sum[r][v]);
  }
}

template <int R>
inline void any_rows(int64_t rows, int64_t depth, const Rows& a, const Bf16* panel, const Bf16* next, float* out,
                     int64_t out_stride, int64_t columns, bool accumulate) {
  if constexpr (R > 0) {
    if (rows >= R) return block<R>(depth, a, panel, next, out, out_stride, columns, accumulate);
    any_rows<R - 1>(rows, depth, a, panel, next, out, out_stride, columns, accumulate);
  }
}

// `a_at(row, k)`: where A begins at a row and a depth. All panels of the `deep` are packed.
template <typename At>
inline void multiply_rows(const At& a_at, int64_t rows, const Bf16* panels, int64_t deep, int64_t columns, float* out,
                          int64_t out_stride, bool accumulate) {
  for (int64_t k = 0; k < deep; k += kDepth) {
    const int64_t depth = deep - k < kDepth ? deep - k : kDepth;
    for (int64_t n = 0; n < columns; n += kPanel) {
      const Bf16* panel = panels + n * deep + k * kPanel;
      const Bf16* after = n + kPanel < columns ? panel + deep * kPanel : panel;
      for (int64_t r = 0; r < rows; r += kRows) {
        // Each of the first strips prefetches a third of the next panel.
        const int64_t strip = r / kRows < kVectors ? r / kRows : 0;
        any_rows<kRows>(rows - r, depth, a_at(r, k), panel, after + strip * depth / kPair * kLine,
                        out + r * out_stride + n, out_stride, columns - n, accumulate || k > 0);
      }
    }
  }
}

int64_t panel_size(int64_t depth) {
  return whole(depth) * kPanel;
}

// 16 columns of two rows as pairs; `odd` is null behind the last row.
inline __m512i pairs_of(const Bf16* even, const Bf16* odd, __mmask16 columns) {
  const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(columns, even));
  if (odd == nullptr) return low;
  const __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(columns, odd));
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

// Sixteen pairs of depth of 16 columns, each of which lies in one piece.
inline void pack_transposed(const Bf16* from, int64_t n_stride, int64_t depth, __mmask16 columns, Bf16* to) {
  __m512i rows[kLanes];
  const int64_t left = depth < kLine ? depth : kLine;
  const __mmask32 within = left == kLine ? ~__mmask32{0} : (__mmask32{1} << left) - 1;
  for (int64_t n = 0; n < kLanes; ++n) {
    rows[n] = columns >> n & 1 ? _mm512_maskz_loadu_epi16(within, from + n * n_stride) : _mm512_setzero_si512();
  }
  transpose(rows);
  for (int64_t i = 0; i < whole(left) / kPair; ++i) _mm512_storeu_si512(to + i * kStep, rows[i]);
}

void pack_panel(const Bf16* from, int64_t k_stride, int64_t n_stride, int64_t depth, int64_t columns, Bf16* to) {
  for (int64_t v = 0; v < kVectors; ++v) {
    const __mmask16 lanes = first_lanes(columns - v * kLanes);
    const Bf16* first = from + v * kLanes * n_stride;
    Bf16* out = to + v * kLanes * kPair;
    if (n_stride != 1) {
      for (int64_t k = 0; k < depth; k += kLine) {
        pack_transposed(first + k, n_stride, depth - k, lanes, out + k * kPanel);
      }
      continue;
    }
    for (int64_t k = 0; k < depth; k += kPair) {
      const Bf16* even = first + k * k_stride;
      _mm512_storeu_si512(out + k * kPanel, pairs_of(even, k + 1 < depth ? even + k_stride : nullptr, lanes));
    }
  }
}

void multiply(const Bf16* a, int64_t a_stride, int64_t rows, const Bf16* panels, int64_t depth, int64_t columns,
              float* out, int64_t out_stride) {
  const auto a_at = [=](int64_t row, int64_t k) { return Rows{a + row * a_stride + k, a_stride, kPair}; };
  multiply_rows(a_at, rows, panels, depth, columns, out, out_stride, false);
}

// out[R, C] = a[R, depth] matrix[C, depth]', with sums along the depth. Draws in the C columns behind meanwhile.
template <int R, int C>
void few_block(int64_t depth, const Bf16* a, int64_t a_stride, const Bf16* matrix, bool draws_next, float* out,
               int64_t out_stride) {
  __m512 sum[R][C];
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) sum[r][c] = _mm512_setzero_ps();
  for (int64_t k = 0; k < depth; k += kLine) {
    const __mmask32 within = depth - k >= kLine ? ~__mmask32{0} : (__mmask32{1} << (depth - k)) - 1;
    __m512bh columns[C];
    for (int c = 0; c < C; ++c) {
      columns[c] = as_bf16(_mm512_maskz_loadu_epi16(within, matrix + c * depth + k));
      if (draws_next) __builtin_prefetch(matrix + (C + c) * depth + k);
    }
    for (int r = 0; r < R; ++r) {
      const __m512bh x = as_bf16(_mm512_maskz_loadu_epi16(within, a + r * a_stride + k));
      for (int c = 0; c < C; ++c) sum[r][c] = _mm512_dpbf16_ps(sum[r][c], x, columns[c]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) out[r * out_stride + c] = _mm512_reduce_add_ps(sum[r][c]);
}

template <int R, int C>
inline void few_rows(int64_t rows, int64_t depth, const Bf16* a, int64_t a_stride, const Bf16* matrix, bool draws_next,
                     float* out, int64_t out_stride) {
  if constexpr (R > 0) {
    if (rows >= R) return few_block<R, C>(depth, a, a_stride, matrix, draws_next, out, out_stride);
    few_rows<R - 1, C>(rows, depth, a, a_stride, matrix, draws_next, out, out_stride);
  }
}

void multiply_few(const Bf16* a, int64_t a_stride, int64_t rows, const Bf16* matrix, int64_t depth, int64_t columns,
                  float* out, int64_t out_stride) {
  for (int64_t n = 0; n < columns;) {
    const bool full = n + kOutputs <= columns;
    for (int64_t r = 0; r < rows; r += kFewRows) {
      const auto few = full ? few_rows<kFewRows, kOutputs> : few_rows<kFewRows, 1>;
      few(rows - r, depth, a + r * a_stride, a_stride, matrix + n * depth, r == 0, out + r * out_stride + n,
          out_stride);
    }
    n += full ? kOutputs : 1;
  }
}

int64_t strip_size(int64_t depth) {
  return whole(depth) * kRows;
}

// A strip is [pairs of depth, 8 rows, 2].
void pack_strip(const Bf16* from, int64_t k_stride, int64_t depth, int64_t rows, Bf16* to) {
  const __mmask8 lanes = static_cast<__mmask8>(rows >= kRows ? 0xFF : (1u << rows) - 1);
  for (int64_t k = 0; k < depth; k += kPair) {
    const Bf16* even = from + k * k_stride;
    const __m128i low = _mm_maskz_loadu_epi16(lanes, even);
    const __m128i high = k + 1 < depth ? _mm_maskz_loadu_epi16(lanes, even + k_stride) : _mm_setzero_si128();
    __m128i* out = static_cast<__m128i*>(static_cast<void*>(to + k * kRows));
    _mm_storeu_si128(out, _mm_unpacklo_epi16(low, high));
    _mm_storeu_si128(out + 1, _mm_unpackhi_epi16(low, high));
  }
}

void multiply_strips(const Bf16* strips, int64_t rows, const Bf16* panels, int64_t depth, int64_t columns, float* out,
                     int64_t out_stride) {
  const int64_t deep = whole(depth);
  const auto a_at = [=](int64_t row, int64_t k) { return Rows{strips + row * deep + k * kRows, kPair, kRows * kPair}; };
  multiply_rows(a_at, rows, panels, deep, columns, out, out_stride, true);
}

}  // namespace

extern const Products<Bf16> products_bf16;
const Products<Bf16> products_bf16 = {.block_rows = 96,
                                      .panel = kPanel,
                                      .panel_size = panel_size,
                                      .pack_panel = pack_panel,
                                      .multiply = multiply,
                                      .multiply_few = multiply_few,
                                      .depth_step = kPair,
                                      .strip = kRows,
                                      .strip_size = strip_size,
                                      .pack_strip = pack_strip,
                                      .multiply_strips = multiply_strips};

}  // namespace st::kernels
