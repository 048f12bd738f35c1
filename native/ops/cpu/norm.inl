// Layer norm fused with what stands around it. Included by kernels.cpp.

#include "ops/cpu/simd.inl"

// Normalises x[0..width) into out; returns mean and 1 / standard deviation.
template <typename A>
ST_INLINE void normalize_row(const A* x, const A* gamma, const A* beta, A epsilon, int64_t width, A* out, A& mean,
                             A& rstd) {
  A sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < width; ++i) sum += x[i];
  mean = sum / width;
  A squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
  rstd = A(1) / root(squares / width + epsilon);
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) out[i] = (x[i] - mean) * rstd * gamma[i] + beta[i];
}

// d_x of layer norm for one row, with dgamma and dbeta added up. `dy` is read once per pass; d_x may be dy.
template <typename X, typename A>
ST_INLINE void normalize_row_backward(const A* dy, const X* x, const A* gamma, A mean, A rstd, int64_t width, A* d_x,
                                      A* dgamma, A* dbeta) {
  A sum_g = 0, sum_gx = 0;
#pragma omp simd reduction(+ : sum_g, sum_gx)
  for (int64_t i = 0; i < width; ++i) {
    const A normal = (load(x[i]) - mean) * rstd, g = dy[i] * gamma[i];
    sum_g += g;
    sum_gx += g * normal;
  }
  const A mean_g = sum_g / width, mean_gx = sum_gx / width;
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) {
    const A normal = (load(x[i]) - mean) * rstd, g = dy[i];
    dgamma[i] += g * normal;
    dbeta[i] += g;
    d_x[i] = rstd * (g * gamma[i] - mean_g - normal * mean_gx);
  }
}

template <typename S>
static void residual_norm(const ResidualNorm<S>& k, int64_t begin, int64_t end, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  A* x = scratch;
  A* multiplier = scratch + k.width;
  const bool drops = k.dropout.threshold > 0;
  if (!drops) fill(multiplier, k.width, A(1));
  for (int64_t t = begin; t < end; ++t) {
    S* sum = k.sum_TD + t * k.width;
    const S* residual = k.residual_TD + t * k.width;
    if (drops) dropout_row(k.dropout, k.tokens.rows[t], k.tokens.positions[t], 0, k.width, multiplier);
#pragma omp simd
    for (int64_t i = 0; i < k.width; ++i) {
      x[i] = (load(sum[i]) + k.bias_D[i]) * multiplier[i] + load(residual[i]);
      store(sum[i], x[i]);
    }
    A mean, rstd;
    normalize_row(x, k.gamma_D, k.beta_D, k.epsilon, k.width, x, mean, rstd);
    S* out = k.out_TD + t * k.width;
#pragma omp simd
    for (int64_t i = 0; i < k.width; ++i) store(out[i], x[i]);
    if (k.mean_T != nullptr) {
      k.mean_T[t] = mean;
      k.rstd_T[t] = rstd;
    }
  }
}

template <typename S>
static void residual_norm_backward(const ResidualNormBackward<S>& k, int64_t begin, int64_t end,
                                   arithmetic_t<S>* partial, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  A* dy = scratch;
  A* multiplier = scratch + k.width;
  A* dgamma = partial;
  A* dbeta = partial + k.width;
  A* dbias = partial + 2 * k.width;
  const bool drops = k.dropout.threshold > 0;
  if (!drops) fill(multiplier, k.width, A(1));
  for (int64_t t = begin; t < end; ++t) {
    const S* d_out = k.d_out_TD + t * k.width;
#pragma omp simd
    for (int64_t i = 0; i < k.width; ++i) dy[i] = load(d_out[i]);
    normalize_row_backward(dy, k.sum_TD + t * k.width, k.gamma_D, k.mean_T[t], k.rstd_T[t], k.width, dy, dgamma, dbeta);
    if (drops) dropout_row(k.dropout, k.tokens.rows[t], k.tokens.positions[t], 0, k.width, multiplier);
    S* d_residual = k.d_residual_TD + t * k.width;
    S* d_linear = k.d_linear_TD + t * k.width;
#pragma omp simd
    for (int64_t i = 0; i < k.width; ++i) {
      const A d = dy[i] * multiplier[i];
      dbias[i] += d;
      store(d_residual[i], dy[i]);
      store(d_linear[i], d);
    }
  }
}

template <typename S>
static void embedding_norm(const EmbeddingNorm<S>& k, int64_t begin, int64_t end, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  A* y = scratch;
  A* multiplier = scratch + k.width;
  const bool drops = k.dropout.threshold > 0;
  if (!drops) fill(multiplier, k.width, A(1));
  for (int64_t t = begin; t < end; ++t) {
    const A* word = k.word_VD + int64_t{k.ids_T[t]} * k.width;
    const A* position = k.position_PD + int64_t{k.tokens.positions[t]} * k.width;
    const A* type = k.type_2D + (k.types_T == nullptr ? 0 : int64_t{k.types_T[t]} * k.width);
    A* sum = k.sum_TD + t * k.width;
#pragma omp simd
    for (int64_t i = 0; i < k.width; ++i) sum[i] = word[i] + type[i] + position[i];
    A mean, rstd;
    normalize_row(sum, k.gamma_D, k.beta_D, k.epsilon, k.width, y, mean, rstd);
    if (drops) dropout_row(k.dropout, k.tokens.rows[t], k.tokens.positions[t], 0, k.width, multiplier);
    S* out = k.out_TD + t * k.width;
#pragma omp simd
    for (int64_t i = 0; i < k.width; ++i) store(out[i], y[i] * multiplier[i]);
    if (k.mean_T != nullptr) {
      k.mean_T[t] = mean;
      k.rstd_T[t] = rstd;
    }
  }
}

template <typename S>
static void embedding_norm_backward(const EmbeddingNormBackward<S>& k, int64_t begin, int64_t end,
                                    arithmetic_t<S>* partial, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  A* dy = scratch;
  A* multiplier = scratch + k.width;
  const bool drops = k.dropout.threshold > 0;
  if (!drops) fill(multiplier, k.width, A(1));
  for (int64_t t = begin; t < end; ++t) {
    if (drops) dropout_row(k.dropout, k.tokens.rows[t], k.tokens.positions[t], 0, k.width, multiplier);
    const S* d_out = k.d_out_TD + t * k.width;
#pragma omp simd
    for (int64_t i = 0; i < k.width; ++i) dy[i] = load(d_out[i]) * multiplier[i];
    A* sum = k.sum_TD + t * k.width;
    normalize_row_backward(dy, sum, k.gamma_D, k.mean_T[t], k.rstd_T[t], k.width, dy, partial, partial + k.width);
#pragma omp simd
    for (int64_t i = 0; i < k.width; ++i) sum[i] = dy[i];
  }
}
