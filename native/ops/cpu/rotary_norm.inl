// RMS norms of the heads of queries and keys, before their rotation. Included by kernels.cpp behind norm.inl and
// rotary.inl.

template <typename S>
ST_INLINE const arithmetic_t<S>* gamma_of(const HeadNorm<S>& k, int64_t head) {
  return head < k.query_heads ? k.gamma_query_E : k.gamma_key_E;
}

template <typename A>
ST_INLINE A inverse_root_mean_square(const A* x, int64_t width, A epsilon) {
  const A squares = sum_columns<A>(width, [&](int64_t i, auto& v) {
    get(v, x + i);
    v *= v;
  });
  return A(1) / root(squares / width + epsilon);
}

template <typename S>
static void head_norm(const HeadNorm<S>& k, int64_t begin, int64_t end, const arithmetic_t<S>* linear,
                      const arithmetic_t<S>* bias, S* out_TX, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  const int64_t width = k.rotary.width, head_dim = k.rotary.head_dim, normed = k.rotary.heads * head_dim;
  A* row = scratch;
  for (int64_t t = begin; t < end; ++t, linear += width) {
    if (bias == nullptr) {
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) row[i] = linear[i];
    } else {
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) row[i] = linear[i] + bias[i];
    }
    if (k.kept_TK != nullptr) {
      S* kept = k.kept_TK + t * normed;
#pragma omp simd
      for (int64_t i = 0; i < normed; ++i) store(kept[i], row[i]);
    }
    for (int64_t head = 0; head < k.rotary.heads; ++head) {
      A* x = row + head * head_dim;
      const A* gamma = gamma_of(k, head);
      const A scale = inverse_root_mean_square(x, head_dim, head < k.query_heads ? k.epsilon_query : k.epsilon_key);
#pragma omp simd
      for (int64_t i = 0; i < head_dim; ++i) x[i] *= scale * gamma[i];
    }
    rotate<S>(k.rotary, t, t + 1, row, nullptr, out_TX);
  }
}

template <typename S>
static void head_norm_backward(const HeadNorm<S>& k, int64_t begin, int64_t end, S* d_TX, arithmetic_t<S>* partial_bias,
                               arithmetic_t<S>* partial_2E, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  const int64_t width = k.rotary.width, head_dim = k.rotary.head_dim, normed = k.rotary.heads * head_dim;
  A* x = scratch;
  A* normal = scratch + padded(width);
  for (int64_t t = begin; t < end; ++t) {
    S* d_row = d_TX + t * width;
    turn_back<S>(k.rotary, t, d_row);
    for (int64_t head = 0; head < k.rotary.heads; ++head) {
      const S* kept = k.kept_TK + t * normed + head * head_dim;
      S* d = d_row + head * head_dim;
      const A* gamma = gamma_of(k, head);
      A* d_gamma = partial_2E + (head < k.query_heads ? 0 : head_dim);
#pragma omp simd
      for (int64_t i = 0; i < head_dim; ++i) x[i] = load(kept[i]);
      const A scale = inverse_root_mean_square(x, head_dim, head < k.query_heads ? k.epsilon_query : k.epsilon_key);
#pragma omp simd
      for (int64_t i = 0; i < head_dim; ++i) {
        const A n = x[i] * scale, g = load(d[i]);
        d_gamma[i] += g * n;
        normal[i] = n;
        x[i] = g * gamma[i];
      }
      const A mean = sum_columns<A>(head_dim,
                                    [&](int64_t i, auto& v) {
                                      auto n = v;
                                      get(v, x + i);
                                      get(n, normal + i);
                                      v *= n;
                                    }) /
                     head_dim;
#pragma omp simd
      for (int64_t i = 0; i < head_dim; ++i) store(d[i], scale * (x[i] - normal[i] * mean));
    }
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) partial_bias[i] += load(d_row[i]);
  }
}
