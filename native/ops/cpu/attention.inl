// Attention of one (row, head), on copies of its vectors in scratch that stay in the first-level cache at usual
// lengths. Included by kernels.cpp. L = length, E = head_dim; a trailing p means padded to kPad.

#include "ops/cpu/dropout.inl"

// C[r, 0..V vectors) = sum over k of A[r, k] B[k, ...] for R rows; A is read transposed (A[k, r]) when TA.
template <bool TA, int R, int V, typename A>
ST_INLINE void gemm_block(int64_t depth, const A* a, int64_t lda, const A* b, int64_t ldb, A* c, int64_t ldc) {
  using Vec = typename Simd<A>::type;
  constexpr int64_t W = Simd<A>::width;
  Vec sum[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sum[r][v] = Vec{};
  for (int64_t k = 0; k < depth; ++k) {
    Vec row[V];
    for (int v = 0; v < V; ++v) row[v] = *reinterpret_cast<const Vec*>(b + k * ldb + v * W);
    for (int r = 0; r < R; ++r) {
      const A x = TA ? a[k * lda + r] : a[r * lda + k];
      for (int v = 0; v < V; ++v) sum[r][v] += x * row[v];
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) *reinterpret_cast<Vec*>(c + r * ldc + v * W) = sum[r][v];
}

template <bool TA, int V, typename A>
ST_INLINE void gemm_rows(int64_t rows, int64_t depth, const A* a, int64_t lda, const A* b, int64_t ldb, A* c,
                         int64_t ldc) {
  const int64_t step = TA ? 1 : lda;
  int64_t r = 0;
  for (; r + 6 <= rows; r += 6) gemm_block<TA, 6, V>(depth, a + r * step, lda, b, ldb, c + r * ldc, ldc);
  for (; r + 2 <= rows; r += 2) gemm_block<TA, 2, V>(depth, a + r * step, lda, b, ldb, c + r * ldc, ldc);
  for (; r < rows; ++r) gemm_block<TA, 1, V>(depth, a + r * step, lda, b, ldb, c + r * ldc, ldc);
}

// C[rows, columns] = A B (or A' B); columns is a multiple of kPad.
template <bool TA, typename A>
static void gemm(int64_t rows, int64_t columns, int64_t depth, const A* a, int64_t lda, const A* b, int64_t ldb, A* c,
                 int64_t ldc) {
  constexpr int64_t W = Simd<A>::width;
  int64_t j = 0;
  for (; j + 2 * W <= columns; j += 2 * W) gemm_rows<TA, 2>(rows, depth, a, lda, b + j, ldb, c + j, ldc);
  for (; j < columns; j += W) gemm_rows<TA, 1>(rows, depth, a, lda, b + j, ldb, c + j, ldc);
}

// rows_LEp = the `part` (0 query, 1 key, 2 value) of one head; columns_ELp = its transpose. Either may be null.
template <typename S, typename A>
static void gather(const S* from, int64_t stride, int64_t length, int64_t width, A factor, A* rows, A* columns) {
  const int64_t Ep = padded(width), Lp = padded(length);
  if (columns != nullptr) fill(columns, width * Lp, A(0));
  for (int64_t i = 0; i < length; ++i) {
    const S* x = from + i * stride;
    if (rows != nullptr) {
      for (int64_t e = 0; e < width; ++e) rows[i * Ep + e] = load(x[e]) * factor;
      for (int64_t e = width; e < Ep; ++e) rows[i * Ep + e] = A(0);
    }
    if (columns != nullptr) {
      for (int64_t e = 0; e < width; ++e) columns[e * Lp + i] = load(x[e]) * factor;
    }
  }
}

template <typename S, typename A>
static void scatter(const A* rows, int64_t length, int64_t width, S* to, int64_t stride) {
  const int64_t Ep = padded(width);
  for (int64_t i = 0; i < length; ++i)
    for (int64_t e = 0; e < width; ++e) store(to[i * stride + e], rows[i * Ep + e]);
}

static int64_t attention_scratch(int64_t length, int64_t head_dim, bool backward) {
  const int64_t Ep = padded(head_dim), Lp = padded(length);
  const int64_t vectors = length * Ep, transposed = Ep * Lp, scores = length * Lp;
  return backward ? 4 * vectors + 2 * transposed + 2 * scores + Lp : 3 * vectors + transposed + scores + Lp;
}

template <typename S>
static void attention(const Attention<S>& k, const AttentionItem& item, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  const int64_t L = item.length, E = k.head_dim, Ep = padded(E), Lp = padded(L), D = k.heads * E;
  A* q_LE = scratch;
  A* v_LE = q_LE + L * Ep;
  A* o_LE = v_LE + L * Ep;
  A* k_EL = o_LE + L * Ep;
  A* p_LL = k_EL + Ep * Lp;
  A* multiplier = p_LL + L * Lp;
  const S* qkv = k.qkv_T3HE + item.start * 3 * D + item.head * E;
  gather(qkv, 3 * D, L, E, A(1) / root(A(E)), q_LE, static_cast<A*>(nullptr));
  gather(qkv + D, 3 * D, L, E, A(1), static_cast<A*>(nullptr), k_EL);
  gather(qkv + 2 * D, 3 * D, L, E, A(1), v_LE, static_cast<A*>(nullptr));
  gemm<false>(L, Lp, E, q_LE, Ep, k_EL, Lp, p_LL, Lp);
  for (int64_t i = 0; i < L; ++i) {
    A* p = p_LL + i * Lp;
    A highest = p[0];
#pragma omp simd reduction(max : highest)
    for (int64_t j = 0; j < L; ++j) highest = p[j] > highest ? p[j] : highest;
    A sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < L; ++j) {
      p[j] = exponential(p[j] - highest);
      sum += p[j];
    }
    const A inverse = A(1) / sum;
    if (k.dropout.threshold > 0) {
      dropout_row(k.dropout, item.row, static_cast<uint32_t>(i), item.head, L, multiplier);
#pragma omp simd
      for (int64_t j = 0; j < L; ++j) p[j] *= inverse * multiplier[j];
    } else {
#pragma omp simd
      for (int64_t j = 0; j < L; ++j) p[j] *= inverse;
    }
    if (k.lse_TH != nullptr) k.lse_TH[(item.start + i) * k.heads + item.head] = highest + logarithm(sum);
  }
  gemm<false>(L, Ep, L, p_LL, Lp, v_LE, Ep, o_LE, Ep);
  scatter(o_LE, L, E, k.out_THE + item.start * D + item.head * E, D);
}

template <typename S>
static void attention_backward(const Attention<S>& k, const AttentionItem& item, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  const int64_t L = item.length, E = k.head_dim, Ep = padded(E), Lp = padded(L), D = k.heads * E;
  A* q_LE = scratch;
  A* k_LE = q_LE + L * Ep;
  A* do_LE = k_LE + L * Ep;
  A* result_LE = do_LE + L * Ep;
  A* k_EL = result_LE + L * Ep;
  A* v_EL = k_EL + Ep * Lp;
  A* p_LL = v_EL + Ep * Lp;
  A* ds_LL = p_LL + L * Lp;
  A* multiplier = ds_LL + L * Lp;
  const A factor = A(1) / root(A(E));
  const S* qkv = k.qkv_T3HE + item.start * 3 * D + item.head * E;
  gather(qkv, 3 * D, L, E, factor, q_LE, static_cast<A*>(nullptr));
  gather(qkv + D, 3 * D, L, E, A(1), k_LE, k_EL);
  gather(qkv + 2 * D, 3 * D, L, E, A(1), static_cast<A*>(nullptr), v_EL);
  gather(k.d_out_THE + item.start * D + item.head * E, D, L, E, A(1), do_LE, static_cast<A*>(nullptr));
  gemm<false>(L, Lp, E, q_LE, Ep, k_EL, Lp, p_LL, Lp);
  gemm<false>(L, Lp, E, do_LE, Ep, v_EL, Lp, ds_LL, Lp);
  const bool drops = k.dropout.threshold > 0;
  if (!drops) fill(multiplier, L, A(1));
  for (int64_t i = 0; i < L; ++i) {
    A* p = p_LL + i * Lp;
    A* ds = ds_LL + i * Lp;
    const A lse = k.lse_TH[(item.start + i) * k.heads + item.head];
    const S* out = k.out_THE + (item.start + i) * D + item.head * E;
    A delta = 0;  // sum over keys of p dp, which equals d_out . out also with dropout
#pragma omp simd reduction(+ : delta)
    for (int64_t e = 0; e < E; ++e) delta += do_LE[i * Ep + e] * load(out[e]);
    if (drops) dropout_row(k.dropout, item.row, static_cast<uint32_t>(i), item.head, L, multiplier);
#pragma omp simd
    for (int64_t j = 0; j < L; ++j) {
      const A probability = exponential(p[j] - lse);
      ds[j] = probability * (ds[j] * multiplier[j] - delta);
      p[j] = probability * multiplier[j];
    }
  }
  S* d_qkv = k.d_qkv_T3HE + item.start * 3 * D + item.head * E;
  gemm<true>(L, Ep, L, p_LL, Lp, do_LE, Ep, result_LE, Ep);
  scatter(result_LE, L, E, d_qkv + 2 * D, 3 * D);
  gemm<true>(L, Ep, L, ds_LL, Lp, q_LE, Ep, result_LE, Ep);  // q holds the factor already
  scatter(result_LE, L, E, d_qkv + D, 3 * D);
  gemm<false>(L, Ep, L, ds_LL, Lp, k_LE, Ep, result_LE, Ep);
  for (int64_t i = 0; i < L * Ep; ++i) result_LE[i] *= factor;
  scatter(result_LE, L, E, d_qkv, 3 * D);
}
