// Rotary position embeddings on the rows of a projection. Included by kernels.cpp.

template <typename S>
static void rotate(const Rotary<S>& k, int64_t begin, int64_t end, const arithmetic_t<S>* linear,
                   const arithmetic_t<S>* bias, S* out_TX) {
  using A = arithmetic_t<S>;
  const int64_t half = k.rotated / 2;
  const auto at = [&](int64_t i) { return bias == nullptr ? linear[i] : linear[i] + bias[i]; };
  for (int64_t t = begin; t < end; ++t, linear += k.width) {
    const A* cosine = k.table_PR + k.positions_T[t] * k.rotated;
    const A* sine = cosine + half;
    S* out = out_TX + t * k.width;
    for (int64_t head = 0; head < k.heads * k.head_dim; head += k.head_dim) {
#pragma omp simd
      for (int64_t i = 0; i < half; ++i) {
        const A x = at(head + i), y = at(head + half + i), c = cosine[i], s = sine[i];
        store(out[head + i], x * c - y * s);
        store(out[head + half + i], y * c + x * s);
      }
      for (int64_t i = head + k.rotated; i < head + k.head_dim; ++i) store(out[i], at(i));
    }
#pragma omp simd
    for (int64_t i = k.heads * k.head_dim; i < k.width; ++i) store(out[i], at(i));
  }
}

// The gradient of one row, in place.
template <typename S>
ST_INLINE void turn_back(const Rotary<S>& k, int64_t t, S* d) {
  using A = arithmetic_t<S>;
  const int64_t half = k.rotated / 2;
  const A* cosine = k.table_PR + k.positions_T[t] * k.rotated;
  const A* sine = cosine + half;
  for (int64_t head = 0; head < k.heads * k.head_dim; head += k.head_dim) {
#pragma omp simd
    for (int64_t i = 0; i < half; ++i) {
      const A x = load(d[head + i]), y = load(d[head + half + i]), c = cosine[i], s = sine[i];
      store(d[head + i], x * c + y * s);
      store(d[head + half + i], y * c - x * s);
    }
  }
}

template <typename S>
static void rotate_back(const Rotary<S>& k, int64_t begin, int64_t end, S* d_TX, arithmetic_t<S>* partial_bias) {
  for (int64_t t = begin; t < end; ++t) {
    S* d = d_TX + t * k.width;
    turn_back<S>(k, t, d);
#pragma omp simd
    for (int64_t i = 0; i < k.width; ++i) partial_bias[i] += load(d[i]);
  }
}
