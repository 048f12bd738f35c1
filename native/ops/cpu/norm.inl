// Norms fused with the operations around them. Included by kernels.cpp.

#include "ops/cpu/dropout.inl"

// Normalises x[0..width) into out; returns mean (0 for `rms`) and 1 / standard deviation.
template <typename S, typename A>
ST_INLINE void normalize_row(const A* x, const A* gamma, const A* beta, A epsilon, bool rms, int64_t width, S* out,
                             A& mean, A& rstd) {
  mean = rms ? A(0) : sum_columns<A>(width, [&](int64_t i, auto& v) { get(v, x + i); }) / width;
  const A squares = sum_columns<A>(width, [&](int64_t i, auto& v) {
    get(v, x + i);
    v -= mean;
    v *= v;
  });
  rstd = A(1) / root(squares / width + epsilon);
  const A centre = mean, scale = rstd;
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) store(out[i], (x[i] - centre) * scale * gamma[i] + beta[i]);
}

// The backward pass of a norm for one row: calls write(i, d_x[i]) for every column, and sums dgamma and dbeta. `g`
// and `normal` are scratch.
template <typename X, typename A, typename Gradient, typename Write>
ST_INLINE void normalize_row_backward(const X* x, const A* gamma, A mean, A rstd, bool rms, int64_t width, A* dgamma,
                                      A* dbeta, A* g, A* normal, const Gradient& dy, const Write& write) {
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) {
    const A d = dy(i), n = (load(x[i]) - mean) * rstd;
    dgamma[i] += d * n;
    dbeta[i] += d;
    g[i] = d * gamma[i];
    normal[i] = n;
  }
  const A mean_g = rms ? A(0) : sum_columns<A>(width, [&](int64_t i, auto& v) { get(v, g + i); }) / width;
  const A sum_gx = sum_columns<A>(width, [&](int64_t i, auto& v) {
    auto n = v;
    get(v, g + i);
    get(n, normal + i);
    v *= n;
  });
  const A mean_gx = sum_gx / width;
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) write(i, rstd * (g[i] - mean_g - normal[i] * mean_gx));
}

template <typename A>
ST_INLINE void keep_statistics(A* mean_T, A* rstd_T, int64_t t, A mean, A rstd) {
  if (mean_T == nullptr) return;
  mean_T[t] = mean;
  rstd_T[t] = rstd;
}

// Replaces a missing vector or table by the second row of scratch, where that is unused.
template <typename A>
ST_INLINE const A* zero_row(A* scratch, int64_t width) {
  fill(scratch + padded(width), width, A(0));
  return scratch + padded(width);
}

template <typename S>
static void residual_norm(const ResidualNorm<S>& k, int64_t begin, int64_t end, const arithmetic_t<S>* linear,
                          arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  A* x = scratch;
  A* multiplier = multiplier_row(scratch, k.width);
  const A scale = static_cast<A>(k.dropout.scale);
  const int64_t words = words_of(k.width);
  if (k.mask_TM == nullptr) fill(multiplier, k.width, A(1));
  const bool lacks = k.bias_D == nullptr || k.beta_D == nullptr;
  const A* zeros = lacks ? zero_row(scratch, k.width) : nullptr;
  const A* bias = k.bias_D == nullptr ? zeros : k.bias_D;
  const A* beta = k.beta_D == nullptr ? zeros : k.beta_D;
  for (int64_t t = begin; t < end; ++t, linear += k.width) {
    const S* residual = k.residual_TD + t * k.width;
    if (k.mask_TM != nullptr) {
      uint16_t* mask = k.mask_TM + t * words;
      draw_mask(k.dropout, k.tokens.rows[t], k.tokens.positions[t], k.width, mask);
      spread_mask(mask, scale, k.width, multiplier);
    }
#pragma omp simd
    for (int64_t i = 0; i < k.width; ++i) x[i] = (linear[i] + bias[i]) * multiplier[i] + load(residual[i]);
    if (k.sum_TD != nullptr) {
      S* sum = k.sum_TD + t * k.width;
#pragma omp simd
      for (int64_t i = 0; i < k.width; ++i) store(sum[i], x[i]);
    }
    A mean, rstd;
    normalize_row(x, k.gamma_D, beta, k.epsilon, k.rms, k.width, k.out_TD + t * k.width, mean, rstd);
    keep_statistics(k.mean_T, k.rstd_T, t, mean, rstd);
  }
}

template <typename S>
static void branch_norm(const BranchNorm<S>& k, int64_t begin, int64_t end, const arithmetic_t<S>* linear,
                        arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  const int64_t width = k.sum.width;
  A* row = scratch + norm_scratch(width);
  A* zeros = row + padded(width);
  fill(zeros, width, A(0));
  const A* bias = k.bias_D == nullptr ? zeros : k.bias_D;
  const A* beta = k.beta_D == nullptr ? zeros : k.beta_D;
  for (int64_t t = begin; t < end; ++t, linear += width) {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) row[i] = linear[i] + bias[i];
    if (k.branch_TD != nullptr) {
      S* branch = k.branch_TD + t * width;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) store(branch[i], row[i]);
    }
    A mean, rstd;
    normalize_row(row, k.gamma_D, beta, k.epsilon, k.rms, width, row, mean, rstd);
    keep_statistics(k.mean_T, k.rstd_T, t, mean, rstd);
    residual_norm<S>(k.sum, t, t + 1, row, scratch);
  }
}

template <typename S>
static void residual_norm_backward(const ResidualNormBackward<S>& k, int64_t begin, int64_t end,
                                   arithmetic_t<S>* partial, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  A* multiplier = multiplier_row(scratch, k.width);
  A* dbias = partial + 2 * k.width;
  const int64_t words = words_of(k.width);
  if (k.mask_TM == nullptr) fill(multiplier, k.width, A(1));
  for (int64_t t = begin; t < end; ++t) {
    if (k.mask_TM != nullptr) spread_mask(k.mask_TM + t * words, k.dropout_scale, k.width, multiplier);
    const S* d_out = k.d_out_TD + t * k.width;
    S* d_residual = k.d_residual_TD + t * k.width;
    S* d_linear = k.d_linear_TD + t * k.width;
    const auto backward = [&](const auto& gradient_of) {
      normalize_row_backward(
          k.sum_TD + t * k.width, k.gamma_D, k.mean_T[t], k.rstd_T[t], k.rms, k.width, partial, partial + k.width,
          scratch, scratch + padded(k.width), [&](int64_t i) { return load(d_out[i]); },
          [&](int64_t i, A d_normed) {
            const A d_sum = gradient_of(i, d_normed), d = d_sum * multiplier[i];
            dbias[i] += d;
            store(d_residual[i], d_sum);
            store(d_linear[i], d);
          });
    };
    if (k.d_sum_TD == nullptr) {
      backward([](int64_t, A d) { return d; });
    } else {
      const S* also = k.d_sum_TD + t * k.width;
      backward([&](int64_t i, A d) { return d + load(also[i]); });
    }
  }
}

// A batch's ids are scattered over a table that exceeds the caches, so their rows are prefetched one token ahead.
template <typename A>
ST_INLINE void fetch(const A* from, int64_t count) {
  for (int64_t i = 0; i < count; i += 64 / sizeof(A)) __builtin_prefetch(from + i, 1);
}

template <typename S>
static void embedding_norm(const EmbeddingNorm<S>& k, int64_t begin, int64_t end, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  A* y = scratch;
  A* multiplier = multiplier_row(scratch, k.width);
  const A scale = static_cast<A>(k.dropout.scale);
  const int64_t words = words_of(k.width);
  const bool lacks = k.position_PD == nullptr || k.type_KD == nullptr || k.beta_D == nullptr;
  const A* zeros = lacks ? zero_row(scratch, k.width) : nullptr;
  const A* beta = k.beta_D == nullptr ? zeros : k.beta_D;
  if (k.mask_TM == nullptr && k.gamma_D == nullptr) fill(multiplier, k.width, A(1));
  for (int64_t t = begin; t < end; ++t) {
    if (t + 1 < end) fetch(k.word_VD + int64_t{k.ids_T[t + 1]} * k.width, k.width);
    const A* word = k.word_VD + int64_t{k.ids_T[t]} * k.width;
    const A* position = k.position_PD == nullptr ? zeros : k.position_PD + int64_t{k.positions_T[t]} * k.width;
    const A* type =
        k.type_KD == nullptr ? zeros : k.type_KD + (k.types_T == nullptr ? 0 : int64_t{k.types_T[t]} * k.width);
    A* sum = k.sum_TD + t * k.width;
    S* out = k.out_TD + t * k.width;
#pragma omp simd
    for (int64_t i = 0; i < k.width; ++i) sum[i] = word[i] * k.word_scale + type[i] + position[i];
    if (k.mask_TM != nullptr) {
      uint16_t* mask = k.mask_TM + t * words;
      draw_mask(k.dropout, k.tokens.rows[t], k.tokens.positions[t], k.width, mask);
      spread_mask(mask, scale, k.width, multiplier);
    }
    if (k.gamma_D == nullptr) {
#pragma omp simd
      for (int64_t i = 0; i < k.width; ++i) store(out[i], sum[i] * multiplier[i]);
      continue;
    }
    A mean, rstd;
    if (k.mask_TM == nullptr) {
      normalize_row(sum, k.gamma_D, beta, k.epsilon, k.rms, k.width, out, mean, rstd);
    } else {
      normalize_row(sum, k.gamma_D, beta, k.epsilon, k.rms, k.width, y, mean, rstd);
#pragma omp simd
      for (int64_t i = 0; i < k.width; ++i) store(out[i], y[i] * multiplier[i]);
    }
    keep_statistics(k.mean_T, k.rstd_T, t, mean, rstd);
  }
}

template <typename S>
static void embedding_norm_backward(const EmbeddingNormBackward<S>& k, int64_t begin, int64_t end,
                                    arithmetic_t<S>* partial, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  A* multiplier = multiplier_row(scratch, k.width);
  const int64_t words = words_of(k.width);
  if (k.mask_TM == nullptr) fill(multiplier, k.width, A(1));
  for (int64_t t = begin; t < end; ++t) {
    if (k.mask_TM != nullptr) spread_mask(k.mask_TM + t * words, k.dropout_scale, k.width, multiplier);
    const S* d_out = k.d_out_TD + t * k.width;
    A* sum = k.sum_TD + t * k.width;
    if (k.gamma_D == nullptr) {
#pragma omp simd
      for (int64_t i = 0; i < k.width; ++i) sum[i] = load(d_out[i]) * multiplier[i];
      continue;
    }
    normalize_row_backward(
        sum, k.gamma_D, k.mean_T[t], k.rstd_T[t], k.rms, k.width, partial, partial + k.width, scratch,
        scratch + padded(k.width), [&](int64_t i) { return load(d_out[i]) * multiplier[i]; },
        [&](int64_t i, A d_sum) { sum[i] = d_sum; });
  }
}

// table_ND[row] += factor * d, for columns begin to end.
template <typename A>
ST_INLINE void add_row(A* table_ND, int64_t row, int64_t width, int64_t begin, int64_t end, A factor, const A* d) {
  A* to = table_ND + row * width;
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) to[i] += factor * d[i];
}

template <typename A>
static void embedding_tables_backward(const EmbeddingTablesBackward<A>& k, int64_t begin, int64_t end) {
  for (int64_t t = 0; t < k.tokens; ++t) {
    const A* d = k.d_TD + t * k.width;
    if (k.word_VD != nullptr && t + 1 < k.tokens) {
      fetch(k.word_VD + int64_t{k.ids_T[t + 1]} * k.width + begin, end - begin);
    }
    if (k.word_VD != nullptr) add_row(k.word_VD, k.ids_T[t], k.width, begin, end, k.word_scale, d);
    if (k.position_PD != nullptr) add_row(k.position_PD, k.positions_T[t], k.width, begin, end, A(1), d);
    if (k.type_KD != nullptr) add_row(k.type_KD, k.types_T == nullptr ? 0 : k.types_T[t], k.width, begin, end, A(1), d);
  }
}

template <typename S>
static void widen(int64_t count, const S* from, arithmetic_t<S>* to) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) to[i] = load(from[i]);
}
