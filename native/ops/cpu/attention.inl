// Attention of one (row, head), on copies of its vectors in scratch. Included by kernels.cpp. L = length, E = head_dim
// padded to kPad, I = kQueries. Scores stand as [L keys, I queries] for a block of queries at a time: a softmax then
// needs no sum over the lanes of a register, and queries and output gradients are all that must be transposed. The
// blocks of long rows stay in the second-level cache.

#include "ops/cpu/attention_mask.inl"
#include "ops/cpu/tiles.inl"

// to_LE = a part (query, key, value, gradient) of one head.
template <int kE, typename S, typename A>
ST_INLINE void gather(const S* from, int64_t stride, int64_t length, int64_t width, A* to) {
  constexpr int64_t W = Lanes<A>::width;
  const int64_t E = kE > 0 ? kE : padded(width);
  for (int64_t i = 0; i < length; ++i, from += stride, to += E) {
    if (kE > 0) {
      for (int64_t e = 0; e < E; e += W) store_lanes(to + e, load_lanes(from + e));
    } else {
      for (int64_t e = 0; e < E; ++e) to[e] = e < width ? load(from[e]) : A(0);
    }
  }
}

// to_EI = factor * the same, transposed, for up to I queries; lanes of a vector that stand for no query are 0.
template <int kE, typename S, typename A>
ST_INLINE void gather_transposed(const S* from, int64_t stride, int64_t queries, int64_t width, A factor, A* to) {
  constexpr int64_t W = Lanes<A>::width;
  for (int64_t i = 0; i < queries; i += W) {
    const int64_t rows = queries - i < W ? queries - i : W;
    if (kE > 0) {
      for (int64_t e = 0; e < kE; e += W) {
        Vec<A> square[W];
        for (int64_t r = 0; r < W; ++r) square[r] = r < rows ? load_lanes(from + (i + r) * stride + e) : Vec<A>{};
        transpose_square<A>(square);
        for (int64_t r = 0; r < W; ++r) store_lanes(to + (e + r) * kQueries + i, square[r] * factor);
      }
    } else {
      for (int64_t e = 0; e < width; ++e) {
        for (int64_t r = 0; r < W; ++r)
          to[e * kQueries + i + r] = r < rows ? load(from[(i + r) * stride + e]) * factor : A(0);
      }
    }
  }
}

// to = from_LE * factor[i * step]; sum_E, where it is not null, becomes or (`add`) gains the sum over i.
template <int kE, typename S, typename A>
ST_INLINE void scatter(const A* from, int64_t length, int64_t width, const A* factor, int64_t step, S* to,
                       int64_t stride, A* sum, bool add) {
  constexpr int64_t W = Lanes<A>::width;
  if constexpr (kE > 0) {
    Vec<A> total[kE / W];
    for (int64_t v = 0; v < kE / W; ++v) total[v] = add ? load_lanes(sum + v * W) : Vec<A>{};
    for (int64_t i = 0; i < length; ++i) {
      for (int64_t v = 0; v < kE / W; ++v) {
        const Vec<A> x = load_lanes(from + i * kE + v * W) * factor[i * step];
        total[v] += x;
        store_lanes(to + i * stride + v * W, x);
      }
    }
    if (sum == nullptr) return;
    for (int64_t v = 0; v < kE / W; ++v) store_lanes(sum + v * W, total[v]);
  } else {
    if (sum != nullptr && !add) fill(sum, width, A(0));
    for (int64_t i = 0; i < length; ++i) {
      for (int64_t e = 0; e < width; ++e) {
        const A x = from[i * padded(width) + e] * factor[i * step];
        if (sum != nullptr) sum[e] += x;
        store(to[i * stride + e], x);
      }
    }
  }
}

static int64_t attention_scratch(int64_t length, int64_t head_dim, bool backward) {
  const int64_t E = padded(head_dim), vectors = length * E, block = kQueries * E, scores = length * kQueries;
  return 2 * kQueries + (backward ? 4 * vectors + 5 * block + 2 * scores : 2 * vectors + 2 * block + scores);
}

// p_LI becomes 2^(p - highest) (e^ for doubles), 0 where dropped; highest_I and sum_I are those of every query.
template <typename A>
ST_INLINE void softmax(int64_t length, int64_t vectors, const uint16_t* mask, A* p_LI, A* highest_I, A* sum_I) {
  constexpr int64_t W = Lanes<A>::width;
  for (int64_t v = 0; v < vectors; ++v) {
    A* p = p_LI + v * W;
    Vec<A> most[4];
    for (int64_t c = 0; c < 4; ++c) most[c] = load_lanes(p + (c < length ? c : 0) * kQueries);
    for (int64_t j = 4; j < length; j += 4) {
      for (int64_t c = 0; c < 4; ++c) {
        const Vec<A> x = load_lanes(p + (j + c < length ? j + c : j) * kQueries);
        most[c] = x > most[c] ? x : most[c];
      }
    }
    for (int64_t c = 1; c < 4; ++c) most[0] = most[c] > most[0] ? most[c] : most[0];
    Vec<A> sum{};
    if (mask == nullptr) {
      for (int64_t j = 0; j < length; ++j) {
        const Vec<A> x = power(load_lanes(p + j * kQueries) - most[0]);
        sum += x;
        store_lanes(p + j * kQueries, x);
      }
    } else {
      const uint16_t* words = mask + v * W / 16 * length;
      for (int64_t j = 0; j < length; ++j) {
        const Vec<A> x = power(load_lanes(p + j * kQueries) - most[0]);
        sum += x;
        store_lanes(p + j * kQueries, keep<A>(x, words[j] >> (v * W % 16)));
      }
    }
    store_lanes(highest_I + v * W, most[0]);
    store_lanes(sum_I + v * W, sum);
  }
}

template <int kE, typename S>
static void attention_of(const Attention<S>& k, const AttentionItem& item, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  constexpr int64_t W = Lanes<A>::width;
  const int64_t L = item.length, width = k.head_dim, E = kE > 0 ? kE : padded(width), D = k.heads * width;
  A* k_LE = scratch;
  A* v_LE = k_LE + L * E;
  A* p_LI = v_LE + L * E;
  A* q_EI = p_LI + L * kQueries;
  A* o_IE = q_EI + kQueries * E;
  A* highest_I = o_IE + kQueries * E;
  A* sum_I = highest_I + kQueries;
  const S* qkv = k.qkv_T3HE + item.start * 3 * D + item.head * width;
  gather<kE>(qkv + D, 3 * D, L, width, k_LE);
  gather<kE>(qkv + 2 * D, 3 * D, L, width, v_LE);
  const bool drops = k.dropout.threshold > 0;
  for (int64_t first = 0; first < L; first += kQueries) {
    const int64_t queries = L - first < kQueries ? L - first : kQueries, vectors = (queries + W - 1) / W;
    gather_transposed<kE>(qkv + first * 3 * D, 3 * D, queries, width, kPerNat<A> / root(A(width)), q_EI);
    product<Product::kScores, kE>(L, vectors, width, E, k_LE, q_EI, p_LI);
    uint16_t* mask = drops ? k.mask + item.mask + first / 16 * L : nullptr;
    for (int64_t q = 0; drops && q < queries; q += 16) {
      draw_attention_mask(k.dropout, static_cast<uint32_t>(item.row), static_cast<uint32_t>(item.head),
                          static_cast<uint32_t>(first + q), L, mask + q / 16 * L);
    }
    softmax(L, vectors, mask, p_LI, highest_I, sum_I);
    if (k.lse_HT != nullptr) {
      A* lse = k.lse_HT + item.head * k.tokens + item.start + first;
#pragma omp simd
      for (int64_t i = 0; i < queries; ++i) lse[i] = highest_I[i] / kPerNat<A> + logarithm(sum_I[i]);
    }
    const A scale = drops ? static_cast<A>(k.dropout.scale) : A(1);
#pragma omp simd
    for (int64_t i = 0; i < kQueries; ++i) sum_I[i] = scale / sum_I[i];
    product<Product::kQueries, kE>(queries, E / W, L, E, p_LI, v_LE, o_IE);
    scatter<kE>(o_IE, queries, width, sum_I, 1, k.out_THE + (item.start + first) * D + item.head * width, D,
                static_cast<A*>(nullptr), false);
  }
}

// p_LI (scores) and ds_LI (gradients of the dropped probabilities) become the dropped probabilities, without the scale
// of dropout, and the gradients of the scores.
template <typename A>
ST_INLINE void softmax_backward(int64_t length, int64_t vectors, const uint16_t* mask, const A* lse_I, const A* delta_I,
                                A* p_LI, A* ds_LI) {
  constexpr int64_t W = Lanes<A>::width;
  for (int64_t v = 0; v < vectors; ++v) {
    A* p = p_LI + v * W;
    A* ds = ds_LI + v * W;
    const Vec<A> lse = load_lanes(lse_I + v * W), delta = load_lanes(delta_I + v * W);
    if (mask == nullptr) {
      for (int64_t j = 0; j < length; ++j, p += kQueries, ds += kQueries) {
        const Vec<A> x = power(load_lanes(p) - lse);
        store_lanes(ds, x * (load_lanes(ds) - delta));
        store_lanes(p, x);
      }
    } else {
      const uint16_t* words = mask + v * W / 16 * length;
      for (int64_t j = 0; j < length; ++j, p += kQueries, ds += kQueries) {
        const uint32_t bits = words[j] >> (v * W % 16);
        const Vec<A> x = power(load_lanes(p) - lse);
        store_lanes(ds, x * (keep<A>(load_lanes(ds), bits) - delta));
        store_lanes(p, keep<A>(x, bits));
      }
    }
  }
}

template <int kE, typename S>
static void attention_backward_of(const Attention<S>& k, const AttentionItem& item, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  constexpr int64_t W = Lanes<A>::width;
  const int64_t L = item.length, width = k.head_dim, E = kE > 0 ? kE : padded(width), D = k.heads * width;
  A* k_LE = scratch;
  A* v_LE = k_LE + L * E;
  A* dk_LE = v_LE + L * E;
  A* dv_LE = dk_LE + L * E;
  A* p_LI = dv_LE + L * E;
  A* ds_LI = p_LI + L * kQueries;
  A* q_IE = ds_LI + L * kQueries;
  A* do_IE = q_IE + kQueries * E;
  A* dq_IE = do_IE + kQueries * E;
  A* q_EI = dq_IE + kQueries * E;
  A* do_EI = q_EI + kQueries * E;
  A* lse_I = do_EI + kQueries * E;
  A* delta_I = lse_I + kQueries;
  const bool drops = k.dropout.threshold > 0;
  const A factor = A(1) / root(A(width)), scale = drops ? static_cast<A>(k.dropout.scale) : A(1);
  const int64_t at = item.start * 3 * D + item.head * width;
  const S* qkv = k.qkv_T3HE + at;
  S* d_qkv = k.d_qkv_T3HE + at;
  A* d_bias = k.d_bias_R3HE + item.row * 3 * D + item.head * width;
  gather<kE>(qkv + D, 3 * D, L, width, k_LE);
  gather<kE>(qkv + 2 * D, 3 * D, L, width, v_LE);
  for (int64_t first = 0; first < L; first += kQueries) {
    const int64_t queries = L - first < kQueries ? L - first : kQueries, vectors = (queries + W - 1) / W;
    const int64_t token = (item.start + first) * D + item.head * width;
    const S* q = qkv + first * 3 * D;
    gather<kE>(q, 3 * D, queries, width, q_IE);
    gather_transposed<kE>(q, 3 * D, queries, width, kPerNat<A> * factor, q_EI);
    gather<kE>(k.d_out_THE + token, D, queries, width, do_IE);
    gather_transposed<kE>(k.d_out_THE + token, D, queries, width, scale, do_EI);
    const A* lse = k.lse_HT + item.head * k.tokens + item.start + first;
    for (int64_t i = 0; i < vectors * W; ++i) lse_I[i] = i < queries ? lse[i] * kPerNat<A> : A(0);
    for (int64_t i = 0; i < vectors * W; ++i) {
      A delta = 0;  // sum over keys of p dp, which equals d_out . out also with dropout
      if (i < queries) {
        const S* out = k.out_THE + token + i * D;
#pragma omp simd reduction(+ : delta)
        for (int64_t e = 0; e < width; ++e) delta += do_IE[i * E + e] * load(out[e]);
      }
      delta_I[i] = delta;
    }
    product<Product::kScores, kE>(L, vectors, width, E, k_LE, q_EI, p_LI);
    product<Product::kScores, kE>(L, vectors, width, E, v_LE, do_EI, ds_LI);
    softmax_backward(L, vectors, drops ? k.mask + item.mask + first / 16 * L : nullptr, lse_I, delta_I, p_LI, ds_LI);
    product<Product::kKeys, kE>(L, E / W, queries, E, p_LI, do_IE, dv_LE, first > 0);
    product<Product::kKeys, kE>(L, E / W, queries, E, ds_LI, q_IE, dk_LE, first > 0);
    product<Product::kQueries, kE>(queries, E / W, L, E, ds_LI, k_LE, dq_IE);
    scatter<kE>(dq_IE, queries, width, &factor, 0, d_qkv + first * 3 * D, 3 * D, d_bias, first > 0);
  }
  scatter<kE>(dk_LE, L, width, &factor, 0, d_qkv + D, 3 * D, d_bias + D, false);
  scatter<kE>(dv_LE, L, width, &scale, 0, d_qkv + 2 * D, 3 * D, d_bias + 2 * D, false);
}

// The usual sizes of a head are known to the compiler, except for doubles, which only tests use.
template <typename S>
static void attention(const Attention<S>& k, const AttentionItem& item, arithmetic_t<S>* scratch) {
  if (sizeof(S) < 8 && k.head_dim == 32) return attention_of < sizeof(S) < 8 ? 32 : 0 > (k, item, scratch);
  if (sizeof(S) < 8 && k.head_dim == 64) return attention_of < sizeof(S) < 8 ? 64 : 0 > (k, item, scratch);
  attention_of<0>(k, item, scratch);
}
template <typename S>
static void attention_backward(const Attention<S>& k, const AttentionItem& item, arithmetic_t<S>* scratch) {
  if (sizeof(S) < 8 && k.head_dim == 32) return attention_backward_of < sizeof(S) < 8 ? 32 : 0 > (k, item, scratch);
  if (sizeof(S) < 8 && k.head_dim == 64) return attention_backward_of < sizeof(S) < 8 ? 64 : 0 > (k, item, scratch);
  attention_backward_of<0>(k, item, scratch);
}
