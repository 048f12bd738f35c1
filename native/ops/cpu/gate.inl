// The gated feed-forward block between its two products. Included by kernels.cpp after activation.inl.

#include "ops/cpu/dropout.inl"

template <typename S>
static void gate(const Gate<S>& k, int64_t begin, int64_t end, const arithmetic_t<S>* linear,
                 arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  const int64_t width = k.width, first = k.activated_first ? 0 : width, second = width - first;
  const bool drops = k.dropout.threshold > 0;
  A* multiplier = multiplier_row(scratch, width);
  uint16_t* mask = reinterpret_cast<uint16_t*>(scratch);
  if (!drops) fill(multiplier, width, A(1));
  with_kind(k.kind, [&]<typename K>(K) {
    for (int64_t t = begin; t < end; ++t, linear += 2 * width) {
      if (drops) {
        draw_mask(k.dropout, k.tokens.rows[t], k.tokens.positions[t], width, mask);
        spread_mask(mask, static_cast<A>(k.dropout.scale), width, multiplier);
      }
      const A *a = linear + first, *g = linear + second, *a_bias = k.bias_2F + first, *g_bias = k.bias_2F + second;
      S* after = k.after_TF + t * width;
      if (k.kept_T2F == nullptr) {
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) {
          A value, slope;
          evaluate<K::value, S>(a[i] + a_bias[i], value, slope);
          const A other = (g[i] + g_bias[i]) * multiplier[i];
          store(after[i], value * other);
        }
      } else {
        S *kept_a = k.kept_T2F + t * 2 * width + first, *kept_g = k.kept_T2F + t * 2 * width + second;
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) {
          A value, slope;
          evaluate<K::value, S>(a[i] + a_bias[i], value, slope);
          const A other = (g[i] + g_bias[i]) * multiplier[i];
          store(kept_a[i], slope * other);
          store(kept_g[i], value * multiplier[i]);
          store(after[i], value * other);
        }
      }
    }
  });
}

template <typename S>
static void gate_backward(const GateBackward<S>& k, int64_t begin, int64_t end, const arithmetic_t<S>* d_after,
                          arithmetic_t<S>* partial_bias) {
  using A = arithmetic_t<S>;
  for (int64_t t = begin; t < end; ++t, d_after += k.width) {
    for (int64_t half = 0; half < 2 * k.width; half += k.width) {
      const S* kept = k.kept_T2F + t * 2 * k.width + half;
      S* to = k.d_T2F + t * 2 * k.width + half;
      A* bias = partial_bias + half;
#pragma omp simd
      for (int64_t i = 0; i < k.width; ++i) {
        const A d = d_after[i] * load(kept[i]);
        bias[i] += d;
        store(to[i], d);
      }
    }
  }
}
