#pragma once

// Scores that also read relative positions: kernels::Positions. Scores stand as [L keys, I = kQueries queries] of a
// block of queries; d = query - key.
//
// q_i pk_d: products of the block's queries with all pk_d that it reaches stand as [distances, I]. Those of one key lie
// on a diagonal of it, which passes over the lanes bring into one row (`unskew`).
// pq_d k_j: products of the keys with kPositionPanel neighbouring distances, the first of which is a multiple of it,
// stand as [L, distances]. Those of one key and W queries are neighbours there. kQueries keys and as many queries reach
// two panels, the second of which is the first for the next block of queries: each is multiplied once.

#include "ops/cpu/attention_block.inl"
#include "ops/cpu/tiles.inl"

static_assert(kQueries == kPositionPanel);

template <typename A>
struct PositionScratch {
  A* skewed_MI;             // [L + kQueries, I]
  A *before_LD, *after_LD;  // of panels with d below and from the difference of the first query and the first key on
};

template <typename S>
ST_INLINE int64_t position_scratch(const Attention<S>& k, const AttentionItem& item) {
  if (k.positions.reach == 0) return 0;
  return (3 * item.keys + kQueries) * kQueries + kQueries;  // one row is read behind the last
}

template <typename A>
ST_INLINE PositionScratch<A> position_scratch_at(A* memory, int64_t keys) {
  A* before_LD = memory + (keys + kQueries) * kQueries;
  return {memory, before_LD, before_LD + keys * kQueries};
}

template <typename A>
ST_INLINE Ints<A> lane_numbers() {
  Ints<A> lane{};
  for (int l = 0; l < Lanes<A>::width; ++l) lane[l] = l;
  return lane;
}

// x[r] lane l = x[r + l] lane l, for rows before `rows`. Rows are kQueries apart.
template <typename A>
static void unskew(int64_t rows, A* x) {
  using Int = typename Lanes<A>::Int;
  constexpr int64_t W = Lanes<A>::width;
  const Ints<A> lane = lane_numbers<A>();
  for (int64_t step = 1; step < W; step *= 2) {
    const Ints<A> moved = lane & static_cast<Int>(step);
    for (int64_t r = 0; r < rows + W - 2 * step; ++r) {
      A* to = x + r * kQueries;
      store_lanes(to, moved != 0 ? load_lanes(to + step * kQueries) : load_lanes(to));
    }
  }
}

// The way back: x[r + l] lane l = x[r] lane l, where rows before the first are 0.
template <typename A>
static void skew(int64_t rows, A* x) {
  using Int = typename Lanes<A>::Int;
  constexpr int64_t W = Lanes<A>::width;
  const Ints<A> lane = lane_numbers<A>();
  for (int64_t step = 1; step < W; step *= 2) {
    const Ints<A> moved = lane & static_cast<Int>(step);
    for (int64_t r = rows - 1; r >= 0; --r) {
      A* to = x + r * kQueries;
      const Vec<A> from = r >= step ? load_lanes(to - step * kQueries) : Vec<A>{};
      store_lanes(to, moved != 0 ? from : load_lanes(to));
    }
  }
}

// Some keys of one panel's distances, at places [from, to) of the panel.
struct Strip {
  int64_t key, keys;
  int64_t in_block;  // key % kQueries
  int64_t panel;     // that of d >= 0 in the block of queries; the other is the one before it
};

template <typename Work>
ST_INLINE void for_strips(const Block& b, const Work& work) {
  constexpr int64_t kStrip = kQueries / 2;
  for (int64_t key = 0; key < b.to; key += kStrip) {
    const int64_t keys = b.to - key < kStrip ? b.to - key : kStrip;
    work(Strip{key, keys, key % kQueries, b.first / kQueries - key / kQueries});
  }
}

// The places of a panel that the keys of a strip reach with the first block of queries and with the last one.
ST_INLINE int64_t first_place(const Strip& s) {
  return kQueries + 1 - s.in_block - s.keys;
}
ST_INLINE int64_t end_place(const Block& b, const Strip& s) {
  const int64_t end = b.queries - s.in_block;
  return end > 0 ? end : 0;
}

// p_LI = what positions add to the scores of the block. Blocks of a head follow each other, all with the same scratch.
template <int kE, typename S, typename A>
static void position_scores(const Attention<S>& k, const AttentionItem& item, int64_t head, const Block& b,
                            const A* k_LE, const A* q_EI, PositionScratch<A>& scratch, A* p_LI) {
  using Int = typename Lanes<A>::Int;
  constexpr int64_t W = Lanes<A>::width;
  const int64_t width = k.head_dim, E = kE > 0 ? kE : padded(width), L = item.keys, reach = k.positions.reach;
  const A* pk_ME = k.positions.k_HME + (head * 2 * reach + reach + b.first - (L - 1)) * E;
  product<Product::kScores, kE>(L + b.queries - 1, b.vectors, width, E, pk_ME, q_EI, scratch.skewed_MI);
  for (int64_t v = 0; v < b.vectors; ++v) unskew(L, scratch.skewed_MI + v * W * (kQueries + 1));

  const bool is_first = b.first == 0, is_last = b.first + b.queries == item.queries;
  if (!is_first) {
    A* of_last_block = scratch.after_LD;
    scratch.after_LD = scratch.before_LD;
    scratch.before_LD = of_last_block;
  }
  for_strips(b, [&](const Strip& s) {
    const auto multiply = [&](int64_t panel, int64_t from, int64_t to, A* out_LD) {
      const int64_t v = from / W;
      const A* panel_ED = k.positions.q_HPED + (head * 2 * reach + reach + panel * kQueries) * E;
      product<Product::kScores, kE>(s.keys, (to + W - 1) / W - v, width, E, k_LE + s.key * E, panel_ED + v * W,
                                    out_LD + s.key * kQueries + v * W);
    };
    if (is_first) multiply(s.panel - 1, first_place(s), kQueries, scratch.before_LD);
    multiply(s.panel, 0, is_last ? end_place(b, s) : kQueries, scratch.after_LD);
  });

  const Ints<A> lane = lane_numbers<A>();
  for (int64_t j = 0; j < L; ++j) {
    const int64_t in_block = j % kQueries;
    const A* to_position = scratch.skewed_MI + (L - 1 - j) * kQueries;
    const A* after = scratch.after_LD + j * kQueries - in_block;
    const A* before = scratch.before_LD + j * kQueries - in_block + kQueries;
    for (int64_t v = 0; v < b.vectors; ++v) {
      const Ints<A> is_after = lane >= static_cast<Int>(in_block - v * W);
      const Vec<A> from_position = is_after != 0 ? load_lanes(after + v * W) : load_lanes(before + v * W);
      store_lanes(p_LI + j * kQueries + v * W, from_position + load_lanes(to_position + v * W * (kQueries + 1)));
    }
  }
}

// skewed_MI = the scores' gradients by distance, 0 where there is no key.
template <typename A>
static void skew_gradients(const Block& b, int64_t L, const A* ds_LI, A* skewed_MI) {
  using Int = typename Lanes<A>::Int;
  constexpr int64_t W = Lanes<A>::width;
  const Ints<A> lane = lane_numbers<A>();
  for (int64_t v = 0; v < b.vectors; ++v) {
    A* x = skewed_MI + v * W;
    for (int64_t r = 0; r < v * W; ++r) store_lanes(x + r * kQueries, Vec<A>{});
    x += v * W * kQueries;
    const Ints<A> known = lane < static_cast<Int>(b.queries - v * W);
    for (int64_t r = 0; r < L; ++r) {
      store_lanes(x + r * kQueries, known != 0 ? load_lanes(ds_LI + (L - 1 - r) * kQueries + v * W) : Vec<A>{});
    }
    for (int64_t r = L; r < L + kQueries - v * W; ++r) store_lanes(x + r * kQueries, Vec<A>{});
    skew(L + W - 1, x);
  }
}

// The gradients that pass through position_scores(): added to those of queries, of keys and of positions.
template <int kE, typename S, typename A>
static void position_gradients(const Attention<S>& k, const AttentionItem& item, int64_t head, const Block& b,
                               const A* k_LE, const A* q_IE, const A* ds_LI, PositionScratch<A>& scratch, A* d_LD,
                               A* dq_IE, A* dk_LE) {
  using Int = typename Lanes<A>::Int;
  constexpr int64_t W = Lanes<A>::width;
  const int64_t E = kE > 0 ? kE : padded(k.head_dim), L = item.keys, reach = k.positions.reach;
  const int64_t zero = (head * 2 * reach + reach) * E;  // distance 0 in the tables
  const int64_t least = zero + (b.first - (L - 1)) * E, rows = L + b.queries - 1;
  skew_gradients(b, L, ds_LI, scratch.skewed_MI);
  product<Product::kQueries>(b.queries, E / W, rows, E, scratch.skewed_MI, k.positions.k_HME + least, dq_IE, true);
  if (k.positions.d_k_HME != nullptr) {
    product<Product::kKeys>(rows, E / W, b.queries, E, scratch.skewed_MI, q_IE, k.positions.d_k_HME + least, true);
  }

  // d_LD: gradients of the panel that the last block of queries has begun and this one ends.
  const bool is_first = b.first == 0, is_last = b.first + b.queries == item.queries;
  const Ints<A> lane = lane_numbers<A>();
  for_strips(b, [&](const Strip& s) {
    const auto multiply = [&](int64_t panel, int64_t from, int64_t to) {
      const int64_t row = zero + (panel * kQueries + from) * E;
      const A* d = d_LD + s.key * kQueries + from;
      product<Product::kKeys>(s.keys, E / W, to - from, E, d, k.positions.q_HME + row, dk_LE + s.key * E, true);
      if (k.positions.d_q_HME == nullptr) return;
      product<Product::kQueries>(to - from, E / W, s.keys, E, d, k_LE + s.key * E, k.positions.d_q_HME + row, true);
    };
    for (int64_t j = s.key; j < s.key + s.keys; ++j) {
      for (int64_t v = 0; v < kQueries; v += W) {
        const int64_t query = v + j % kQueries - kQueries;  // of lane 0
        const Ints<A> known = (lane >= static_cast<Int>(-query)) & (lane < static_cast<Int>(b.queries - query));
        const Vec<A> x = known != 0 ? load_lanes(ds_LI + j * kQueries + query) : Vec<A>{};
        A* to = d_LD + j * kQueries + v;
        store_lanes(to, is_first ? x : load_lanes(to) + x);
      }
    }
    multiply(s.panel - 1, is_first ? first_place(s) : 0, kQueries);
    for (int64_t j = s.key; j < s.key + s.keys; ++j) {
      for (int64_t v = 0; v < kQueries; v += W) {
        const int64_t query = v + j % kQueries;
        const Ints<A> known = lane < static_cast<Int>(b.queries - query);
        store_lanes(d_LD + j * kQueries + v, known != 0 ? load_lanes(ds_LI + j * kQueries + query) : Vec<A>{});
      }
    }
    if (is_last && end_place(b, s) > 0) multiply(s.panel, 0, end_place(b, s));
  });
}
