// Attention of heads of one row, on copies of their vectors in scratch. Included by kernels.cpp. L = keys, E = head_dim
// padded to kPad, I = kQueries. Scores stand as [L keys, I queries] for a block of queries at a time: a softmax then
// needs no sum over the lanes of a register, and queries and output gradients are all that must be transposed. Keys
// that no query of the block sees are left out. The blocks of long rows stay in the second-level cache.

#include "ops/cpu/attention_block.inl"
#include "ops/cpu/attention_copy.inl"
#include "ops/cpu/attention_mask.inl"
#include "ops/cpu/attention_one.inl"
#include "ops/cpu/attention_positions.inl"
#include "ops/cpu/attention_softmax.inl"
#include "ops/cpu/tiles.inl"

// Columns of the sums by diagonal, of rows that are not short: those of a block reach beyond the last diagonal, and a
// vector of 0 stands behind them.
template <typename S>
ST_INLINE int64_t diagonals_of(const Attention<S>& k, const AttentionItem& item) {
  return k.d_bias == nullptr || is_short(item) ? 0 : padded(item.queries + item.keys + kQueries + kPad);
}

template <typename S>
static int64_t attention_scratch(const Attention<S>& k, const AttentionItem& item, bool backward) {
  if (!backward && is_one(k, item)) return one_scratch(k, item);
  const int64_t E = padded(k.head_dim), vectors = item.keys * E, block = kQueries * E, most = most_keys(k, item);
  const int64_t mask = most + 8;  // two words of 16 bits for each key, from a multiple of 8 on
  const int64_t positions = position_scratch(k, item);
  if (!backward) return 2 * vectors + most * kQueries + 2 * block + 2 * kQueries + mask + positions;
  const int64_t diagonals = Lanes<arithmetic_t<S>>::width * diagonals_of(k, item);
  const int64_t gradients = positions > 0 ? item.keys * kQueries : 0;
  return 4 * vectors + 2 * most * kQueries + 5 * block + 2 * kQueries + diagonals + mask + positions + gradients;
}

template <int kE, typename S>
static void attention_of(const Attention<S>& k, const AttentionItem& item, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  const int64_t L = item.keys, width = k.head_dim, E = kE > 0 ? kE : padded(width);
  A* k_LE = scratch;
  A* v_LE = k_LE + L * E;
  A* p_LI = v_LE + L * E;
  A* q_EI = p_LI + most_keys(k, item) * kQueries;
  A* o_IE = q_EI + kQueries * E;
  A* highest_I = o_IE + kQueries * E;
  A* sum_I = highest_I + kQueries;
  PositionScratch<A> positions = position_scratch_at(sum_I + kQueries, L);
  uint16_t* mask_memory = reinterpret_cast<uint16_t*>(sum_I + kQueries + position_scratch(k, item));
  const bool biased = k.bias_HR != nullptr || k.positions.reach > 0;
  const int64_t low = block_of(k, item, 0).from;  // the first key that is seen
  const bool hides = k.behind < L || k.ahead < L;
  for (int64_t head = item.head; head < item.head_end; ++head) {
    if (head == item.head || head % k.group == 0) {
      const int64_t column = head / k.group * width;
      gather<kE>(k.k.data + (item.first_key + low) * k.k.stride + column, k.k.stride, L - low, width, k_LE);
      gather<kE>(k.v.data + (item.first_key + low) * k.v.stride + column, k.v.stride, L - low, width, v_LE);
    }
    for (int64_t first = 0; first < item.queries; first += kQueries) {
      const Block b = block_of(k, item, first);
      const int64_t keys = b.to - b.from, token = item.first_query + first;
      const S* q = k.q.data + token * k.q.stride + head * width;
      gather_transposed<kE>(q, k.q.stride, b.queries, width, kPerNat<A> / k.divisor, q_EI);
      if (k.bias_HR != nullptr) copy_bias(b, bias_of(k, head), p_LI);
      if (k.positions.reach > 0) position_scores<kE>(k, item, head, b, k_LE, q_EI, positions, p_LI);
      product<Product::kScores, kE>(keys, b.vectors, width, E, k_LE + (b.from - low) * E, q_EI, p_LI, biased);
      if (hides) hide(k, b, -static_cast<A>(__builtin_inf()), p_LI);
      softmax(keys, b.vectors, mask_of(k, item, head, b, true, mask_memory), p_LI, highest_I, sum_I);
      // The smallest powers are not quite 0.
      if (hides) hide(k, b, A(0), p_LI);
      if (k.lse_HT != nullptr) {
        A* lse = k.lse_HT + head * k.tokens + token;
#pragma omp simd
        for (int64_t i = 0; i < b.queries; ++i) lse[i] = highest_I[i] / kPerNat<A> + logarithm(sum_I[i]);
      }
      const A scale = k.dropout.threshold > 0 ? static_cast<A>(k.dropout.scale) : A(1);
#pragma omp simd
      for (int64_t i = 0; i < kQueries; ++i) sum_I[i] = scale / sum_I[i];
      product<Product::kQueries>(b.queries, E / Lanes<A>::width, keys, E, p_LI, v_LE + (b.from - low) * E, o_IE);
      scatter<kE>(o_IE, b.queries, width, sum_I, 1, k.out.data + token * k.out.stride + head * width, k.out.stride,
                  static_cast<A*>(nullptr), false);
    }
  }
}

// Sums over the queries of all heads that share a key.
template <typename A>
struct KeyGradients {
  A* dk_LE;
  A* dv_LE;
  int64_t written;  // keys before this one hold sums
};

template <typename A>
static void add_to_keys(const Block& b, int64_t E, const A* p_LI, const A* ds_LI, const A* q_IE, const A* do_IE,
                        KeyGradients<A>& to) {
  constexpr int64_t W = Lanes<A>::width;
  const int64_t known = b.from > to.written ? b.from : to.written < b.to ? to.written : b.to;
  for (int part = 0; part < 2; ++part) {
    const bool add = part == 0;  // to those that hold sums; then the others are written
    const int64_t from = add ? b.from : known, keys = add ? known - from : b.to - from;
    if (keys == 0) continue;
    const int64_t row = (from - b.from) * kQueries;
    product<Product::kKeys>(keys, E / W, b.queries, E, p_LI + row, do_IE, to.dv_LE + from * E, add);
    product<Product::kKeys>(keys, E / W, b.queries, E, ds_LI + row, q_IE, to.dk_LE + from * E, add);
  }
  to.written = b.to > to.written ? b.to : to.written;
}

template <int kE, typename S>
static void attention_backward_of(const Attention<S>& k, const AttentionItem& item, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  constexpr int64_t W = Lanes<A>::width;
  const int64_t L = item.keys, width = k.head_dim, E = kE > 0 ? kE : padded(width), most = most_keys(k, item);
  A* k_LE = scratch;
  A* v_LE = k_LE + L * E;
  KeyGradients<A> sums{v_LE + L * E, v_LE + 2 * L * E, 0};
  A* p_LI = sums.dv_LE + L * E;
  A* ds_LI = p_LI + most * kQueries;
  A* q_IE = ds_LI + most * kQueries;
  A* do_IE = q_IE + kQueries * E;
  A* dq_IE = do_IE + kQueries * E;
  A* q_EI = dq_IE + kQueries * E;
  A* do_EI = q_EI + kQueries * E;
  A* lse_I = do_EI + kQueries * E;
  A* delta_I = lse_I + kQueries;
  A* diagonals_WR = delta_I + kQueries;
  const int64_t diagonals = diagonals_of(k, item);
  A* d_positions_LD = diagonals_WR + W * diagonals;
  A* position_memory = d_positions_LD + (k.positions.reach > 0 ? L * kQueries : 0);
  PositionScratch<A> positions = position_scratch_at(position_memory, L);
  uint16_t* mask_memory = reinterpret_cast<uint16_t*>(position_memory + position_scratch(k, item));
  const bool biased = k.bias_HR != nullptr || k.positions.reach > 0;
  const bool hides = k.behind < L || k.ahead < L;
  const A factor = A(1) / k.divisor, scale = k.dropout.threshold > 0 ? static_cast<A>(k.dropout.scale) : A(1);
  for (int64_t head = item.head; head < item.head_end; ++head) {
    const int64_t column = head / k.group * width;
    if (head % k.group == 0) {
      gather<kE>(k.k.data + item.first_key * k.k.stride + column, k.k.stride, L, width, k_LE);
      gather<kE>(k.v.data + item.first_key * k.v.stride + column, k.v.stride, L, width, v_LE);
      sums.written = item.queries > 0 ? block_of(k, item, 0).from : L;  // nobody sees those before
      fill(sums.dk_LE, sums.written * E, A(0));
      fill(sums.dv_LE, sums.written * E, A(0));
    }
    fill(diagonals_WR, W * diagonals, A(0));
    A* d_bias = k.d_bias != nullptr ? k.d_bias + item.d_bias + head * (item.queries + L - 1) : nullptr;
    A* sum_q = k.sum_q_RX != nullptr ? k.sum_q_RX + (item.row * k.heads + head) * width : nullptr;
    for (int64_t first = 0; first < item.queries; first += kQueries) {
      const Block b = block_of(k, item, first);
      const int64_t keys = b.to - b.from, token = item.first_query + first;
      const S* q = k.q.data + token * k.q.stride + head * width;
      const S* d_out = k.d_out.data + token * k.d_out.stride + head * width;
      gather<kE>(q, k.q.stride, b.queries, width, q_IE);
      gather_transposed<kE>(q, k.q.stride, b.queries, width, kPerNat<A> * factor, q_EI);
      gather<kE>(d_out, k.d_out.stride, b.queries, width, do_IE);
      gather_transposed<kE>(d_out, k.d_out.stride, b.queries, width, scale, do_EI);
      const A* lse = k.lse_HT + head * k.tokens + token;
      // Lanes behind the last query get probabilities near 0, and gradients of 0 with them.
      for (int64_t i = 0; i < b.vectors * W; ++i) lse_I[i] = i < b.queries ? lse[i] * kPerNat<A> : A(1e30);
      for (int64_t i = 0; i < b.vectors * W; ++i) {
        A delta = 0;  // sum over keys of p dp, which equals d_out . out also with dropout
        if (i < b.queries) {
          const S* out = k.out.data + (token + i) * k.out.stride + head * width;
#pragma omp simd reduction(+ : delta)
          for (int64_t e = 0; e < width; ++e) delta += do_IE[i * E + e] * load(out[e]);
        }
        delta_I[i] = delta;
      }
      const A* k_keys = k_LE + b.from * E;
      if (k.bias_HR != nullptr) copy_bias(b, bias_of(k, head), p_LI);
      if (k.positions.reach > 0) position_scores<kE>(k, item, head, b, k_LE, q_EI, positions, p_LI);
      product<Product::kScores, kE>(keys, b.vectors, width, E, k_keys, q_EI, p_LI, biased);
      product<Product::kScores, kE>(keys, b.vectors, width, E, v_LE + b.from * E, do_EI, ds_LI);
      softmax_backward(keys, b.vectors, mask_of(k, item, head, b, false, mask_memory), lse_I, delta_I, p_LI, ds_LI);
      if (hides) hide(k, b, A(0), p_LI);
      if (hides) hide(k, b, A(0), ds_LI);
      if (diagonals > 0) add_diagonals(b, ds_LI, L, diagonals, diagonals_WR);
      if (d_bias != nullptr && is_short(item)) sum_short_diagonals(b, L, ds_LI, d_bias);
      add_to_keys(b, E, p_LI, ds_LI, q_IE, do_IE, sums);
      product<Product::kQueries>(b.queries, E / W, keys, E, ds_LI, k_keys, dq_IE);
      if (k.positions.reach > 0) {
        position_gradients<kE>(k, item, head, b, k_LE, q_IE, ds_LI, positions, d_positions_LD, dq_IE, sums.dk_LE);
      }
      scatter<kE>(dq_IE, b.queries, width, &factor, 0, k.d_q.data + token * k.d_q.stride + head * width, k.d_q.stride,
                  sum_q, first > 0);
    }
    if (diagonals > 0) fold_diagonals(diagonals_WR, diagonals, item.queries + L - 1, d_bias);
    if ((head + 1) % k.group != 0) continue;
    const int64_t at = item.row * (k.heads / k.group) * width + column;
    scatter<kE>(sums.dk_LE, L, width, &factor, 0, k.d_k.data + item.first_key * k.d_k.stride + column, k.d_k.stride,
                k.sum_k_RY != nullptr ? k.sum_k_RY + at : nullptr, false);
    scatter<kE>(sums.dv_LE, L, width, &scale, 0, k.d_v.data + item.first_key * k.d_v.stride + column, k.d_v.stride,
                k.sum_v_RY != nullptr ? k.sum_v_RY + at : nullptr, false);
  }
}

// The usual sizes of a head are known to the compiler, except for doubles, which only tests use.
template <typename S, typename Work>
ST_INLINE void with_head(int64_t head_dim, const Work& work) {
  if constexpr (sizeof(S) < 8) {
    switch (head_dim) {
      case 32:
        return work(std::integral_constant<int, 32>{});
      case 64:
        return work(std::integral_constant<int, 64>{});
      case 96:
        return work(std::integral_constant<int, 96>{});
      case 128:
        return work(std::integral_constant<int, 128>{});
      case 256:
        return work(std::integral_constant<int, 256>{});
      default:
        break;
    }
  }
  work(std::integral_constant<int, 0>{});
}
template <typename S>
static void attention(const Attention<S>& k, const AttentionItem& item, arithmetic_t<S>* scratch) {
  if (is_one(k, item)) return attention_of_one(k, item, scratch);
  with_head<S>(k.head_dim, [&]<int kE>(std::integral_constant<int, kE>) { attention_of<kE>(k, item, scratch); });
}
template <typename S>
static void attention_backward(const Attention<S>& k, const AttentionItem& item, arithmetic_t<S>* scratch) {
  with_head<S>(k.head_dim,
               [&]<int kE>(std::integral_constant<int, kE>) { attention_backward_of<kE>(k, item, scratch); });
}
