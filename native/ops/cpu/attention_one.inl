#pragma once

// Attention of a row with one query: the next token of a text that is being written. Nothing is copied, and lanes
// stand for keys in the scores of a head, for columns in its output. Keys and values are read as they lie, those of
// all heads of W tokens before the next W.

#include "ops/cpu/attention_block.inl"

template <typename S>
ST_INLINE bool is_one(const Attention<S>& k, const AttentionItem& item) {
  return item.queries == 1 && item.keys > 1 && k.dropout.threshold == 0 &&
         k.head_dim % Lanes<arithmetic_t<S>>::width == 0;
}

template <typename S>
ST_INLINE int64_t one_scratch(const Attention<S>& k, const AttentionItem& item) {
  return (item.head_end - item.head) * (padded(item.keys) + 2 * k.head_dim);
}

// The sums of all lanes of W vectors, as lanes.
template <typename A>
ST_INLINE Vec<A> sums_of_lanes(Vec<A>* x) {
  constexpr int64_t W = Lanes<A>::width;
  transpose_square<A>(x);
  for (int64_t step = 1; step < W; step *= 2)
    for (int64_t i = 0; i < W; i += 2 * step) x[i] += x[i + step];
  return x[0];
}

// p_L becomes the powers of the scores without the highest, which is returned, and `sum` their sum. What fills up the
// last vector is so low that it adds nothing.
template <typename A>
static A softmax_of_one(int64_t padded_L, A* p_L, A& sum) {
  constexpr int64_t W = Lanes<A>::width;
  Vec<A> most = load_lanes(p_L);
  for (int64_t j = W; j < padded_L; j += W) {
    const Vec<A> x = load_lanes(p_L + j);
    most = x > most ? x : most;
  }
  A highest = most[0];
  for (int64_t l = 1; l < W; ++l) highest = most[l] > highest ? most[l] : highest;
  Vec<A> total{};
  for (int64_t j = 0; j < padded_L; j += W) {
    const Vec<A> x = power(load_lanes(p_L + j) - highest);
    total += x;
    store_lanes(p_L + j, x);
  }
  sum = sum_lanes<A, kRegister>(reinterpret_cast<const A*>(&total));
  return highest;
}

template <typename S>
static void attention_of_one(const Attention<S>& k, const AttentionItem& item, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  constexpr int64_t W = Lanes<A>::width;
  const Block b = block_of(k, item, 0);
  const int64_t width = k.head_dim, heads = item.head_end - item.head, keys = b.to - b.from;
  const int64_t stride = padded(item.keys);
  A *p_HL = scratch, *q_HE = p_HL + heads * stride, *o_HE = q_HE + heads * width;
  const S* q = k.q.data + item.first_query * k.q.stride + item.head * width;
  for (int64_t i = 0; i < heads * width; i += W) {
    store_lanes(q_HE + i, load_lanes(q + i) * (kPerNat<A> / k.divisor));
    store_lanes(o_HE + i, Vec<A>{});
  }
  const auto column = [&](int64_t h) { return (item.head + h) / k.group * width; };

  const S* key = k.k.data + (item.first_key + b.from) * k.k.stride;
  for (int64_t j = 0; j < keys; j += W, key += W * k.k.stride) {
    const int64_t rows = keys - j < W ? keys - j : W;
    for (int64_t h = 0; h < heads; ++h) {
      const A* q_E = q_HE + h * width;
      const S* from = key + column(h);
      Vec<A> sums[W] = {};
      const auto multiply = [&](const auto& place_of) {
        for (int64_t e = 0; e < width; e += W) {
          const Vec<A> x = load_lanes(q_E + e);
          for (int64_t r = 0; r < W; ++r) sums[r] += x * load_lanes(from + place_of(r) * k.k.stride + e);
        }
      };
      if (rows == W) {
        multiply([](int64_t r) { return r; });
      } else {
        multiply([&](int64_t r) { return r < rows ? r : rows - 1; });
      }
      A* p = p_HL + h * stride + j;
      store_lanes(p, sums_of_lanes<A>(sums));
      if (k.bias_HR != nullptr) {
        const A* bias = bias_of(k, item.head + h) + b.position - b.from - j;
        for (int64_t r = 0; r < rows; ++r) p[r] += bias[-r];
      }
      for (int64_t r = rows; r < W; ++r) p[r] = -static_cast<A>(__builtin_inf());
    }
  }

  const S* value = k.v.data + (item.first_key + b.from) * k.v.stride;
  for (int64_t h = 0; h < heads; ++h) {
    A* p = p_HL + h * stride;
    A sum;
    const A highest = softmax_of_one((keys + W - 1) / W * W, p, sum);
    if (k.lse_HT != nullptr) {
      k.lse_HT[(item.head + h) * k.tokens + item.first_query] = highest / kPerNat<A> + logarithm(sum);
    }
    const A factor = A(1) / sum;
    for (int64_t j = 0; j < keys; ++j) p[j] *= factor;
  }
  for (int64_t j = 0; j < keys; j += W, value += W * k.v.stride) {
    const int64_t rows = keys - j < W ? keys - j : W;
    for (int64_t h = 0; h < heads; ++h) {
      const A* p = p_HL + h * stride + j;
      const S* from = value + column(h);
      A* o = o_HE + h * width;
      int64_t e = 0;
      for (; e + 4 * W <= width; e += 4 * W) {
        Vec<A> sums[4];
        for (int64_t v = 0; v < 4; ++v) sums[v] = load_lanes(o + e + v * W);
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t v = 0; v < 4; ++v) sums[v] += p[r] * load_lanes(from + r * k.v.stride + e + v * W);
        for (int64_t v = 0; v < 4; ++v) store_lanes(o + e + v * W, sums[v]);
      }
      for (; e < width; e += W) {
        Vec<A> sum = load_lanes(o + e);
        for (int64_t r = 0; r < rows; ++r) sum += p[r] * load_lanes(from + r * k.v.stride + e);
        store_lanes(o + e, sum);
      }
    }
  }
  S* out = k.out.data + item.first_query * k.out.stride + item.head * width;
  for (int64_t i = 0; i < heads * width; i += W) store_lanes(out + i, load_lanes(o_HE + i));
}
