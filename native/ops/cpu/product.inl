// Matrix products in float on packed panels. Included by kernels.cpp. A micro-kernel keeps R rows of V vectors of sums
// in registers: 8 x 3 of the 32 registers of AVX-512, 4 x 2 of the 16 of AVX2 (whose vectors are pairs here).

#include "ops/cpu/simd.inl"

#if defined(__AVX512F__)
#include "ops/cpu/transpose.inl"

constexpr int kRows = 8, kVectors = 3, kThinRows = 16;
#else
constexpr int kRows = 6, kVectors = 1, kThinRows = 6;
#endif
constexpr int64_t kVector = Simd<float>::width, kPanel = kVectors * kVector;
constexpr int64_t kAhead = 64;
constexpr int64_t kDepth = 384;  // of a block: its panel stays in the first and second cache

// The next panel's lines to prefetch into the second cache during a block: one a step of its depth, `stride` elements
// apart.
struct Next {
  const float* from;
  int64_t stride;
};

// C[R, V vectors] (+)= A B for the first V vectors of a panel; A's element (r, k) is a[r * row_stride + k * k_stride].
// Draws `next` in meanwhile; or, for few rows, what is read kAhead steps later. kCopied: C is a copy, without rows
// behind.
template <int R, int V, bool kFew, bool kCopied = false>
static void product_block(int64_t depth, const float* a, int64_t row_stride, int64_t k_stride, const float* panel,
                          Next next, float* c, int64_t c_stride, bool accumulate) {
  using Vec = Simd<float>::type;
  Vec sum[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v)
      sum[r][v] = accumulate ? *reinterpret_cast<const Vec*>(c + r * c_stride + v * kVector) : Vec{};
  if (accumulate && !kCopied) {  // the rows that the next call adds to
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < V; ++v) __builtin_prefetch(c + (R + r) * c_stride + v * kVector, 1, 3);
  }
#pragma GCC unroll 4
  for (int64_t k = 0; k < depth; ++k) {
    if constexpr (kFew) {
      for (int v = 0; v < V; ++v) __builtin_prefetch(panel + (k + kAhead) * kPanel + v * kVector, 0, 2);
    } else {
      __builtin_prefetch(next.from + k * next.stride, 0, 2);
    }
    Vec row[V];
    for (int v = 0; v < V; ++v) row[v] = *reinterpret_cast<const Vec*>(panel + k * kPanel + v * kVector);
    for (int r = 0; r < R; ++r) {
      const float x = a[r * row_stride + k * k_stride];
      for (int v = 0; v < V; ++v) sum[r][v] += x * row[v];
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) *reinterpret_cast<Vec*>(c + r * c_stride + v * kVector) = sum[r][v];
}

// The last columns, which do not fill V vectors, use a copy.
template <int R, int V>
static void product_block_tail(int64_t depth, const float* a, int64_t row_stride, int64_t k_stride, const float* panel,
                               float* c, int64_t c_stride, int64_t columns, bool accumulate) {
  constexpr int64_t kWidth = V * kVector;
  if (columns == kWidth) {
    return product_block<R, V, false>(depth, a, row_stride, k_stride, panel, {panel, kVector}, c, c_stride, accumulate);
  }
  float copy[R * kWidth] = {};
  if (accumulate)
    for (int r = 0; r < R; ++r)
      for (int64_t n = 0; n < columns; ++n) copy[r * kWidth + n] = c[r * c_stride + n];
  product_block<R, V, false, true>(depth, a, row_stride, k_stride, panel, {panel, kVector}, copy, kWidth, accumulate);
  for (int r = 0; r < R; ++r)
    for (int64_t n = 0; n < columns; ++n) c[r * c_stride + n] = copy[r * kWidth + n];
}

template <int R, bool kFew>
ST_INLINE void product_rows(int64_t rows, int64_t depth, const float* a, int64_t row_stride, int64_t k_stride,
                            const float* panel, Next next, float* c, int64_t c_stride, int64_t columns,
                            bool accumulate) {
  if constexpr (R > 0) {
    if (rows != R) {
      return product_rows<R - 1, kFew>(rows, depth, a, row_stride, k_stride, panel, next, c, c_stride, columns,
                                       accumulate);
    }
    if (columns >= kPanel)
      return product_block<R, kVectors, kFew>(depth, a, row_stride, k_stride, panel, next, c, c_stride, accumulate);
    if (columns <= kVector)
      return product_block_tail<R, 1>(depth, a, row_stride, k_stride, panel, c, c_stride, columns, accumulate);
    product_block_tail<R, kVectors>(depth, a, row_stride, k_stride, panel, c, c_stride, columns, accumulate);
  }
}

static int64_t panel_size(int64_t depth) {
  return depth * kPanel;
}

static void pack_panel(const float* from, int64_t k_stride, int64_t n_stride, int64_t depth, int64_t columns,
                       float* to) {
  if (columns < kPanel) fill(to, depth * kPanel, 0.0f);
  if (n_stride == 1 && columns == kPanel) {
    for (int64_t k = 0; k < depth; ++k) __builtin_memcpy(to + k * kPanel, from + k * k_stride, sizeof(float) * kPanel);
    return;
  }
  if (n_stride == 1) {
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t n = 0; n < columns; ++n) to[k * kPanel + n] = from[k * k_stride + n];
    return;
  }
  constexpr int64_t kTile = 16;  // a cache line of each column at a time
  for (int64_t first = 0; first < depth; first += kTile) {
    const int64_t last = first + kTile < depth ? first + kTile : depth;
    int64_t begin = 0;
#if defined(__AVX512F__)
    for (; begin + kTile <= columns && first + kTile <= depth; begin += kTile) {
      __m512i rows[kTile];
      for (int64_t n = 0; n < kTile; ++n) rows[n] = _mm512_loadu_si512(from + first + (begin + n) * n_stride);
      transpose(rows);
      for (int64_t k = 0; k < kTile; ++k) _mm512_storeu_si512(to + (first + k) * kPanel + begin, rows[k]);
    }
#endif
    for (int64_t n = begin; n < columns; ++n)
      for (int64_t k = first; k < last; ++k) to[k * kPanel + n] = from[k + n * n_stride];
  }
}

template <bool kFew>
static void multiply_rows(const float* a, int64_t a_stride, int64_t rows, const float* panels, int64_t depth,
                          int64_t columns, float* out, int64_t out_stride, bool accumulate = false) {
  for (int64_t k = 0; k < depth; k += kDepth) {
    const int64_t count = depth - k < kDepth ? depth - k : kDepth;
    for (int64_t n = 0; n < columns; n += kPanel) {
      const float* panel = panels + n * depth + k * kPanel;
      // Each strip prefetches its share of the next panel.
      const float* next = n + kPanel < columns ? panel + depth * kPanel : panel;
      for (int64_t r = 0; r < rows; r += kRows) {
        const int64_t strip = r / kRows < kVectors ? r / kRows : 0;
        product_rows<kRows, kFew>(rows - r < kRows ? rows - r : kRows, count, a + r * a_stride + k, a_stride, 1, panel,
                                  {next + strip * count * kVector, kVector}, out + r * out_stride + n, out_stride,
                                  columns - n, accumulate || k > 0);
      }
    }
  }
}

static void multiply(const float* a, int64_t a_stride, int64_t rows, const float* panels, int64_t depth,
                     int64_t columns, float* out, int64_t out_stride) {
  if (rows <= 2 * kRows) {
    multiply_rows<true>(a, a_stride, rows, panels, depth, columns, out, out_stride);
  } else {
    multiply_rows<false>(a, a_stride, rows, panels, depth, columns, out, out_stride);
  }
}

static void multiply_add(const float* a, int64_t a_stride, int64_t rows, const float* panels, int64_t depth,
                         int64_t columns, float* out, int64_t out_stride) {
  multiply_rows<false>(a, a_stride, rows, panels, depth, columns, out, out_stride, true);
}

// C[R, 1 vector] += A B, where the vector of B's row k is at b + k * b_stride. If kAcross, the R rows of A lie
// `a_stride` apart, and so do those from `next.from` on, which are drawn in as far as A is deep; else A's columns lie
// so, and `next` is what product_block() takes.
template <int R, bool kAcross>
static void thin_block(int64_t depth, const float* a, int64_t a_stride, const float* b, int64_t b_stride, Next next,
                       float* c, int64_t c_stride) {
  using Vec = Simd<float>::type;
  constexpr int64_t kLast = kVector - 1;
  Vec sum[R];
  for (int r = 0; r < R; ++r) sum[r] = *reinterpret_cast<const Vec*>(c + r * c_stride);
#pragma GCC unroll 4
  for (int64_t k = 0; k < depth; ++k) {
    __builtin_prefetch(next.from + (kAcross ? (k & kLast) * a_stride + (k & ~kLast) : k * next.stride), 0, 2);
    const Vec row = *reinterpret_cast<const Vec*>(b + k * b_stride);
    for (int r = 0; r < R; ++r) sum[r] += (kAcross ? a[r * a_stride + k] : a[k * a_stride + r]) * row;
  }
  for (int r = 0; r < R; ++r) *reinterpret_cast<Vec*>(c + r * c_stride) = sum[r];
}

// Up to R rows and one vector of columns, of which fewer may be written.
template <int R, bool kAcross>
ST_INLINE void thin_rows(int64_t rows, int64_t depth, const float* a, int64_t a_stride, const float* b,
                         int64_t b_stride, Next next, float* c, int64_t c_stride, int64_t columns) {
  if constexpr (R > 0) {
    if (rows != R) {
      return thin_rows<R - 1, kAcross>(rows, depth, a, a_stride, b, b_stride, next, c, c_stride, columns);
    }
    if (columns == kVector) return thin_block<R, kAcross>(depth, a, a_stride, b, b_stride, next, c, c_stride);
    float copy[R * kVector] = {};
    for (int r = 0; r < R; ++r)
      for (int64_t n = 0; n < columns; ++n) copy[r * kVector + n] = c[r * c_stride + n];
    thin_block<R, kAcross>(depth, a, a_stride, b, b_stride, next, copy, kVector);
    for (int r = 0; r < R; ++r)
      for (int64_t n = 0; n < columns; ++n) c[r * c_stride + n] = copy[r * kVector + n];
  }
}

// A' lies as [depth, rows] and stays in the cache. B's rows are read once, as they lie, and drawn in a vector ahead.
// Returns the number of columns that are done.
static int64_t add_product_of_few(const float* a, int64_t a_stride, int64_t rows, const float* b, int64_t b_stride,
                                  int64_t depth, int64_t columns, float* out, int64_t out_stride) {
  int64_t n = 0;
  for (; n + kVector <= columns; n += kVector) {
    const bool last = n + 2 * kVector > columns;
    const Next next{last ? b + depth * b_stride : b + n + kVector, b_stride};
    thin_rows<kThinRows, false>(rows, depth, a, a_stride, b + n, b_stride, next, out + n, out_stride, kVector);
  }
  return n;
}

// Panels are packed where they are used, in the cache, and the rows of all of A follow.
static void add_product(const float* a, int64_t row_stride, int64_t k_stride, int64_t rows, const float* b,
                        int64_t b_k_stride, int64_t b_n_stride, int64_t depth, int64_t columns, float* out,
                        int64_t out_stride) {
  alignas(64) float panel[kDepth * kPanel];
  const bool draws_b = b_n_stride == 1 && rows < columns;
  for (int64_t k = 0; k < depth; k += kDepth) {
    const int64_t count = depth - k < kDepth ? depth - k : kDepth;
    const float *a_k = a + k * k_stride, *b_k = b + k * b_k_stride;
    int64_t n = 0;
    if (draws_b && rows <= kThinRows && row_stride == 1) {
      n = add_product_of_few(a_k, k_stride, rows, b_k, b_k_stride, count, columns, out, out_stride);
    }
    for (; n < columns; n += kPanel) {
      const int64_t width = columns - n < kPanel ? columns - n : kPanel;
      pack_panel(b_k + n * b_n_stride, b_k_stride, b_n_stride, count, width, panel);
      const bool thin = kVectors > 1 && width <= kVector && k_stride == 1;  // width: the rank of an adapter
      const int64_t step = thin ? kThinRows : kRows;
      for (int64_t r = 0; r < rows; r += step) {
        const float *strip = a_k + r * row_stride, *next_strip = strip + step * row_stride;
        const int64_t height = rows - r < step ? rows - r : step;
        float* to = out + r * out_stride + n;
        if (thin) {
          thin_rows<kThinRows, true>(height, count, strip, row_stride, panel, kPanel, {next_strip, row_stride}, to,
                                     out_stride, width);
          continue;
        }
        Next next{next_strip, k_stride};
        if (draws_b && r < kVectors * kRows) {  // a vector of the next panel's columns
          const float* panel_after = n + kPanel < columns ? b_k + n + kPanel : b_k + count * b_k_stride;
          next = {panel_after + r / kRows * kVector, b_k_stride};
        }
        product_rows<kRows, false>(height, count, strip, row_stride, k_stride, panel, next, to, out_stride, columns - n,
                                   true);
      }
    }
  }
}

// kRows rows of A', which lies as [depth, rows].
static void pack_strip(const float* from, int64_t k_stride, int64_t depth, int64_t rows, float* to) {
  if (rows >= kRows) {
    for (int64_t k = 0; k < depth; ++k) __builtin_memcpy(to + k * kRows, from + k * k_stride, sizeof(float) * kRows);
    return;
  }
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t r = 0; r < kRows; ++r) to[k * kRows + r] = r < rows ? from[k * k_stride + r] : 0.0f;
}

constexpr int64_t kGroup = 32 * kRows;  // rows of A', packed, that stay in the second cache with two panels
constexpr int64_t kDeep = 768;          // deep: what is added to, a whole gradient, comes from beyond that cache

static int64_t transposed_depth(int64_t depth) {
  const int64_t chunks = (depth + kDeep - 1) / kDeep;
  return (depth + chunks - 1) / chunks;
}

static int64_t transposed_scratch(int64_t depth) {
  return transposed_depth(depth) * (kGroup + 2 * kPanel);
}

// Both operands are packed during the previous product: a panel piece by piece between the strips of the panel before
// it, and the first panel's strips each before its use.
static void add_transposed(const float* a, int64_t a_stride, int64_t rows, const float* b, int64_t b_stride,
                           int64_t depth, int64_t columns, float* out, int64_t out_stride, float* scratch) {
  const int64_t chunk = transposed_depth(depth);
  float *panel = scratch, *next_panel = scratch + chunk * kPanel, *strips = scratch + 2 * chunk * kPanel;
  struct Place {
    int64_t k, row, n;
  } place{0, 0, 0};
  pack_panel(b, b_stride, 1, chunk, columns < kPanel ? columns : kPanel, panel);
  while (place.k < depth) {
    Place next{place.k, place.row, place.n + kPanel};
    if (next.n >= columns) next = {next.k, next.row + kGroup, 0};
    if (next.row >= rows) next = {next.k + chunk, 0, 0};
    const int64_t count = depth - place.k < chunk ? depth - place.k : chunk;
    const int64_t next_count = depth - next.k < chunk ? depth - next.k : chunk;  // not positive after the last
    const float* next_b = b + (next_count > 0 ? next.k * b_stride + next.n : 0);
    int64_t packed = 0;
    const auto pack_to = [&](int64_t end) {
      if (end <= packed) return;
      pack_panel(next_b + packed * b_stride, b_stride, 1, end - packed,
                 columns - next.n < kPanel ? columns - next.n : kPanel, next_panel + packed * kPanel);
      packed = end;
    };
    const int64_t last = rows - place.row < kGroup ? rows : place.row + kGroup;
    const int64_t strip_count = (last - place.row + kRows - 1) / kRows;
    const float* a_k = a + place.k * a_stride;
    if (place.n == 0) pack_strip(a_k + place.row, a_stride, count, last - place.row, strips);
    for (int64_t strip = 0; strip < strip_count; ++strip) {
      const int64_t row = place.row + strip * kRows, after = row + kRows;
      const bool packs_strip = place.n == 0 && after < last;
      // The first strips draw in the next panel, a column of vectors each; then the first panel the strip after next.
      Next ahead{panel, 0};
      if (strip < kVectors) {
        ahead = {next_b + strip * kVector, b_stride};
      } else if (packs_strip) {
        ahead = {a_k + after + kRows, a_stride};
      }
      product_rows<kRows, false>(last - row < kRows ? last - row : kRows, count, strips + strip * kRows * count, 1,
                                 kRows, panel, ahead, out + row * out_stride + place.n, out_stride, columns - place.n,
                                 true);
      if (packs_strip) pack_strip(a_k + after, a_stride, count, last - after, strips + (strip + 1) * kRows * count);
      if (strip >= kVectors) pack_to(next_count * (strip + 1 - kVectors) / (strip_count - kVectors));
    }
    pack_to(next_count);
    float* free = panel;
    panel = next_panel;
    next_panel = free;
    place = next;
  }
}

// out (+)= sums (+ bias), rows of `width` one after the other; bias may be null, and sums may be out.
template <typename S>
static void store_rows(int64_t rows, int64_t width, const arithmetic_t<S>* sums, const arithmetic_t<S>* bias,
                       bool accumulate, S* out) {
  using A = arithmetic_t<S>;
  if (static_cast<const void*>(sums) == out && bias == nullptr) return;
  for (int64_t r = 0; r < rows; ++r, sums += width, out += width) {
    if (accumulate) {
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) store(out[i], load(out[i]) + sums[i]);
    } else if (bias == nullptr) {
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) store(out[i], sums[i]);
    } else {
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) store(out[i], A(sums[i] + bias[i]));
    }
  }
}
