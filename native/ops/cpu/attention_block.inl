#pragma once

// Which keys a block of queries sees, and what this and the bias by relative position do to its scores. Scores stand as
// [L keys, I = kQueries queries], from key Block::from on.

#include "ops/cpu/tiles.inl"

struct Block {
  int64_t first, queries, vectors;  // in the row; vectors of lanes that hold them
  int64_t position;                 // of the first query, among the keys
  int64_t from, to;                 // keys that one of the queries sees
  int64_t all_from, all_to;         // keys between these are seen by all of them
};

template <typename S>
ST_INLINE Block block_of(const Attention<S>& k, const AttentionItem& item, int64_t first) {
  constexpr int64_t W = Lanes<arithmetic_t<S>>::width;
  Block b;
  b.first = first;
  b.queries = item.queries - first < kQueries ? item.queries - first : kQueries;
  b.vectors = (b.queries + W - 1) / W;
  b.position = item.keys - item.queries + first;
  const int64_t last = b.position + b.queries - 1;
  b.from = b.position > k.behind ? b.position - k.behind : 0;
  b.to = last + k.ahead + 1 < item.keys ? last + k.ahead + 1 : item.keys;
  b.all_from = last - k.behind;
  b.all_to = b.position + k.ahead + 1;
  return b;
}

// No block of queries sees more keys.
template <typename S>
ST_INLINE int64_t most_keys(const Attention<S>& k, const AttentionItem& item) {
  const int64_t most = k.behind + k.ahead + kQueries;
  return most < item.keys ? most : item.keys;
}

// x_LI becomes `value` where the query does not see the key.
template <typename S, typename A>
static void hide(const Attention<S>& k, const Block& b, A value, A* x_LI) {
  using Int = typename Lanes<A>::Int;
  constexpr int64_t W = Lanes<A>::width;
  Ints<A> lane{};
  for (int64_t l = 0; l < W; ++l) lane[l] = static_cast<Int>(l);
  for (int64_t j = b.from; j < b.to; ++j) {
    if (j >= b.all_from && j < b.all_to) {
      j = b.all_to - 1;
      continue;
    }
    // The queries from `least` to `most` see key j.
    int64_t least = j - k.ahead - b.position, most = j + k.behind - b.position;
    least = least < 0 ? 0 : least;
    most = most > kQueries ? kQueries : most;
    for (int64_t v = 0; v < b.vectors; ++v) {
      A* x = x_LI + (j - b.from) * kQueries + v * W;
      const Ints<A> seen = (lane >= static_cast<Int>(least - v * W)) & (lane <= static_cast<Int>(most - v * W));
      store_lanes(x, seen != 0 ? load_lanes(x) : Vec<A>{} + value);
    }
  }
}

template <typename S>
ST_INLINE const arithmetic_t<S>* bias_of(const Attention<S>& k, int64_t head) {
  return k.bias_HR + head * k.bias_stride + k.bias_back;
}

// p_LI = the biases of the block's scores, which are added to them; bias[d] is that of a query d positions after its
// key.
template <typename A>
static void copy_bias(const Block& b, const A* bias, A* p_LI) {
  constexpr int64_t W = Lanes<A>::width;
  for (int64_t j = b.from; j < b.to; ++j, p_LI += kQueries) {
    const A* from = bias + b.position - j;
    for (int64_t v = 0; v < b.vectors; ++v) store_lanes(p_LI + v * W, load_lanes(from + v * W));
  }
}

// The first of the lanes.
template <typename A>
ST_INLINE void store_columns(Vec<A> x, int64_t columns, A* to) {
  if (columns >= Lanes<A>::width) return store_lanes(to, x);
  for (int64_t c = 0; c < columns; ++c) to[c] = x[c];
}

// Sums of the scores' gradients by diagonal, columns of what AttentionItem::d_bias describes. The vectors of a key
// begin at column c; they are added to row c % W from c / W * W on, so that all are aligned. In one row, a store would
// reach into what the next key loads.
template <typename A>
static void add_diagonals(const Block& b, const A* ds_LI, int64_t keys, int64_t stride, A* sums_WR) {
  constexpr int64_t W = Lanes<A>::width;
  for (int64_t j = b.from; j < b.to; ++j, ds_LI += kQueries) {
    const int64_t column = keys - 1 + b.first - j;
    A* to = sums_WR + column % W * stride + column / W * W;
    for (int64_t v = 0; v < b.vectors; ++v) store_lanes(to + v * W, load_lanes(to + v * W) + load_lanes(ds_LI + v * W));
  }
}

// The queries of such rows are one block, and fill at most half of its lanes.
ST_INLINE bool is_short(const AttentionItem& item) {
  return item.queries <= kQueries / 2;
}

// to[column] = the sums by diagonal of a short row. Row j of ds, shifted by j, is read once more for each vector of
// columns; where that reaches beyond the queries, it reads lanes that are set to 0 first, also those before ds.
template <typename A>
static void sum_short_diagonals(const Block& b, int64_t keys, A* ds_LI, A* to) {
  constexpr int64_t W = Lanes<A>::width;
  for (int64_t j = b.from - 1; j < b.to; ++j) {
    for (int64_t v = b.vectors; v < kQueries / W; ++v) store_lanes(ds_LI + (j - b.from) * kQueries + v * W, Vec<A>{});
  }
  const int64_t count = b.queries + keys - 1;
  for (int64_t i = 0; i < count; i += W) {
    // Query i + j - (keys - 1) stands in the first lane.
    int64_t from = keys - W - i, end = keys + kQueries / 2 - 1 - i;
    from = from < b.from ? b.from : from;
    end = end > b.to ? b.to : end;
    Vec<A> sum{};
    for (int64_t j = from; j < end; ++j) sum += load_lanes(ds_LI + (j - b.from) * kQueries + i + j - (keys - 1));
    store_columns(sum, count - i, to + i);
  }
}

// to[column] = the sums over the rows. What is read before the beginning of a row, behind the columns of the row
// before, is 0.
template <typename A>
static void fold_diagonals(const A* sums_WR, int64_t stride, int64_t count, A* to) {
  constexpr int64_t W = Lanes<A>::width;
  for (int64_t i = 0; i < count; i += W) {
    Vec<A> sum = load_lanes(sums_WR + i);
    for (int64_t w = 1; w < W; ++w) sum += load_lanes(sums_WR + w * stride + i - w);
    store_columns(sum, count - i, to + i);
  }
}
