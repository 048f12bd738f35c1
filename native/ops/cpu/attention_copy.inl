#pragma once

// Copies of one head's vectors between tensors and attention's scratch. kE is E = head_dim, padded to kPad, where it is
// known to the compiler, else 0; `stride` is that of the tensor's tokens.

#include "ops/cpu/tiles.inl"

// to_LE = a head of `length` tokens: its queries, keys, values or gradients.
template <int kE, typename S, typename A>
static void gather(const S* from, int64_t stride, int64_t length, int64_t width, A* to) {
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
static void gather_transposed(const S* from, int64_t stride, int64_t queries, int64_t width, A factor, A* to) {
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
static void scatter(const A* from, int64_t length, int64_t width, const A* factor, int64_t step, S* to, int64_t stride,
                    A* sum, bool add) {
  constexpr int64_t W = Lanes<A>::width;
  if constexpr (kE > 0) {
    Vec<A> total[kE / W];
    for (int64_t v = 0; v < kE / W; ++v) total[v] = add && sum != nullptr ? load_lanes(sum + v * W) : Vec<A>{};
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
