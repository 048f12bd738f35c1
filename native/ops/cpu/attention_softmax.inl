#pragma once

// The softmax of a block of queries and its gradient. Scores stand as [L keys, I = kQueries queries].

#include "ops/cpu/attention_mask.inl"
#include "ops/cpu/tiles.inl"

// p_LI becomes 2^(p - highest) (e^ for doubles), 0 where dropped; highest_I and sum_I are those of every query.
template <typename A>
static void softmax(int64_t length, int64_t vectors, Mask mask, A* p_LI, A* highest_I, A* sum_I) {
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
    if (mask.words == nullptr) {
      for (int64_t j = 0; j < length; ++j) {
        const Vec<A> x = power(load_lanes(p + j * kQueries) - most[0]);
        sum += x;
        store_lanes(p + j * kQueries, x);
      }
    } else {
      const uint16_t* words = mask.words + v * W / 16 * mask.stride;
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

// p_LI (scores) and ds_LI (gradients of the dropped probabilities) become the dropped probabilities, without the scale
// of dropout, and the gradients of the scores.
template <typename A>
static void softmax_backward(int64_t length, int64_t vectors, Mask mask, const A* lse_I, const A* delta_I, A* p_LI,
                             A* ds_LI) {
  constexpr int64_t W = Lanes<A>::width;
  for (int64_t v = 0; v < vectors; ++v) {
    A* p = p_LI + v * W;
    A* ds = ds_LI + v * W;
    const Vec<A> lse = load_lanes(lse_I + v * W), delta = load_lanes(delta_I + v * W);
    if (mask.words == nullptr) {
      for (int64_t j = 0; j < length; ++j, p += kQueries, ds += kQueries) {
        const Vec<A> x = power(load_lanes(p) - lse);
        store_lanes(ds, x * (load_lanes(ds) - delta));
        store_lanes(p, x);
      }
    } else {
      const uint16_t* words = mask.words + v * W / 16 * mask.stride;
      for (int64_t j = 0; j < length; ++j, p += kQueries, ds += kQueries) {
        const uint32_t bits = words[j] >> (v * W % 16);
        const Vec<A> x = power(load_lanes(p) - lse);
        store_lanes(ds, x * (keep<A>(load_lanes(ds), bits) - delta));
        store_lanes(p, keep<A>(x, bits));
      }
    }
  }
}
