// Attention in bfloat16 on the tiles of Intel AMX, for rows without window and bias (attention.inl has the others).
// Compiled with its own flags, and without any header whose inline functions the linker could keep in place of those
// for every processor. Scores stand as [L keys, I = kQueries queries] like there: the softmax needs no sum over lanes,
// its probabilities are pairs of depth by adding up two rows, and masks are the same bits. P is rounded to bfloat16 for
// its product with V; sums, powers and log sums are float.
#include <immintrin.h>

#include <type_traits>
#include <utility>

#include "ops/cpu/tile_attention.h"

namespace st::kernels {

namespace {

#include "ops/cpu/amx_tiles.inl"
#include "ops/cpu/attention_copy.inl"
#include "ops/cpu/attention_mask.inl"
#include "ops/cpu/transpose.inl"
// What needs those.
#include "ops/cpu/amx_attention.inl"
#include "ops/cpu/amx_attention_backward.inl"

// For 16 queries: pairs of keys of 2^(factor (s - highest)), 0 where dropped and behind the last key.
template <bool kDrops>
inline void softmax_pairs(int64_t keys, const float* s_LI, float factor, const uint16_t* words, Bf16* pairs,
                          float* highest, float* sum) {
  __m512 most[4];
  for (int64_t c = 0; c < 4; ++c) most[c] = _mm512_loadu_ps(s_LI + (c < keys ? c : 0) * kQueries);
  int64_t j = 4;
  for (; j + 4 <= keys; j += 4) {
    for (int64_t c = 0; c < 4; ++c) most[c] = _mm512_max_ps(most[c], _mm512_loadu_ps(s_LI + (j + c) * kQueries));
  }
  for (; j < keys; ++j) most[0] = _mm512_max_ps(most[0], _mm512_loadu_ps(s_LI + j * kQueries));
  const __m512 times = _mm512_set1_ps(factor);
  const __m512 top =
      _mm512_mul_ps(times, _mm512_max_ps(_mm512_max_ps(most[0], most[1]), _mm512_max_ps(most[2], most[3])));
  __m512 sums[2] = {};
  const auto power_at = [&](int64_t key, __m512& total) {
    const __m512 x = power_of_two(_mm512_fmsub_ps(_mm512_loadu_ps(s_LI + key * kQueries), times, top));
    total = _mm512_add_ps(total, x);
    return rounded(kDrops ? words[key] : 0xFFFF, x);
  };
  for (j = 0; j + 2 <= keys; j += 2) {
    const __m512i even = power_at(j, sums[0]), odd = power_at(j + 1, sums[1]);
    _mm512_storeu_si512(pairs + j * kTile, joined(even, odd));
  }
  if (j < keys) {
    _mm512_storeu_si512(pairs + j * kTile, joined(power_at(j, sums[0]), _mm512_setzero_si512()));
    j += 2;
  }
  for (; j < whole(keys); j += 2) _mm512_storeu_si512(pairs + j * kTile, _mm512_setzero_si512());
  _mm512_storeu_ps(highest, top);
  _mm512_storeu_ps(sum, _mm512_add_ps(sums[0], sums[1]));
}

// Memory of the forward pass. Lp: keys up to a multiple of 32.
template <int kE>
struct Forward {
  static int64_t size(int64_t keys) {
    const int64_t numbers = whole(keys) * kQueries + 2 * kE * kQueries + 2 * kQueries;
    const int64_t elements = whole(keys) * (2 * kE + kQueries) + kE * kQueries;
    return numbers + elements / 2 + keys + 8;
  }
  explicit Forward(int64_t keys, float* scratch)
      : padded_keys(whole(keys)),
        s_LI(scratch),
        o_EI(s_LI + padded_keys * kQueries),
        o_IE(o_EI + kE * kQueries),
        highest_I(o_IE + kQueries * kE),
        sum_I(highest_I + kQueries),
        k_LE(reinterpret_cast<Bf16*>(sum_I + kQueries)),
        v_EL(k_LE + padded_keys * kE),
        p_LI(v_EL + padded_keys * kE),
        q_EI(p_LI + padded_keys * kQueries),
        mask(reinterpret_cast<uint16_t*>(q_EI + kE * kQueries)) {}
  int64_t padded_keys;
  float *s_LI, *o_EI, *o_IE, *highest_I, *sum_I;
  Bf16 *k_LE, *v_EL, *p_LI, *q_EI;
  uint16_t* mask;
};

template <bool kBoth, int kE>
inline void attend(const Attention<Bf16>& k, const Block& b, Mask mask, const Forward<kE>& m) {
  const int64_t keys = b.to, steps = m.padded_keys / kPairs;
  const float factor = kPerNat<float> / k.divisor;
  tiles_of_rows<kBoth>(keys, kE / kPairs, {m.k_LE, kE * 2, kPairs, kTile * kE}, 2 * kTile * kE,
                       {m.q_EI, 64, kTileElements, kTile * kE}, m.s_LI, kQueries, false);
  for (int64_t half = 0; half <= (kBoth ? 1 : 0); ++half) {
    const int64_t i = half * kTile;
    const auto softmax = mask.words != nullptr ? softmax_pairs<true> : softmax_pairs<false>;
    softmax(keys, m.s_LI + i, factor, mask.words + half * mask.stride, m.p_LI + half * m.padded_keys * kTile,
            m.highest_I + i, m.sum_I + i);
  }
  tiles_of_rows<kBoth>(kE, steps, {m.v_EL, 64, kTileElements, m.padded_keys * kTile}, 2 * m.padded_keys * kTile,
                       {m.p_LI, 64, kTileElements, m.padded_keys * kTile}, m.o_EI, kQueries, false);
}

template <int kE>
void attention_of(const Attention<Bf16>& k, const AttentionItem& item, float* scratch) {
  const Tiles tiles;
  const Forward<kE> m(item.keys, scratch);
  for (int64_t head = item.head; head < item.head_end; ++head) {
    if (head == item.head || head % k.group == 0) {
      const int64_t column = head / k.group * kE;
      copy_rows<kE>(k.k.data + item.first_key * k.k.stride + column, k.k.stride, item.keys, m.k_LE);
      pack_columns<kE>(k.v.data + item.first_key * k.v.stride + column, k.v.stride, item.keys, m.padded_keys * kTile,
                       m.v_EL);
    }
    for (int64_t first = 0; first < item.queries; first += kQueries) {
      const Block b = block_of(k, item, first);
      const int64_t token = item.first_query + first;
      const bool both = b.queries > kTile;
      const Bf16* q = k.q.data + token * k.q.stride + head * kE;
      pack_tokens<kE>(q, k.q.stride, b.queries, m.q_EI);
      if (both) pack_tokens<kE>(q + kTile * k.q.stride, k.q.stride, b.queries - kTile, m.q_EI + kTile * kE);
      (both ? attend<true, kE> : attend<false, kE>)(k, b, mask_of(k, item, head, b, true, m.mask), m);
      if (k.lse_HT != nullptr) {
        float* lse = k.lse_HT + head * k.tokens + token;
        for (int64_t i = 0; i < b.queries; ++i) lse[i] = m.highest_I[i] / kPerNat<float> + logarithm(m.sum_I[i]);
      }
      const float scale = k.dropout.threshold > 0 ? static_cast<float>(k.dropout.scale) : 1.0f;
      for (int64_t i = 0; i < b.queries; ++i) m.sum_I[i] = scale / m.sum_I[i];
      transpose_sums<kE>(m.o_EI, b.queries, m.o_IE);
      scatter<kE>(m.o_IE, b.queries, kE, m.sum_I, 1, k.out.data + token * k.out.stride + head * kE, k.out.stride,
                  static_cast<float*>(nullptr), false);
    }
  }
}

// Sizes of heads that fill tiles in depth.
template <typename Work>
inline void with_size(int64_t head_dim, const Work& work) {
  switch (head_dim) {
    case 32:
      return work(std::integral_constant<int, 32>{});
    case 64:
      return work(std::integral_constant<int, 64>{});
    case 96:
      return work(std::integral_constant<int, 96>{});
    default:
      return work(std::integral_constant<int, 128>{});
  }
}

bool takes(const Attention<Bf16>& k, const AttentionItem& item) {
  constexpr int64_t kLeastKeys = 16;
  const bool sized = k.head_dim == 32 || k.head_dim == 64 || k.head_dim == 96 || k.head_dim == 128;
  const int64_t longest = item.keys > item.queries ? item.keys : item.queries;
  return sized && item.keys >= kLeastKeys && k.bias_HR == nullptr && k.behind >= longest && k.ahead >= longest;
}

int64_t scratch_of(const Attention<Bf16>& k, const AttentionItem& item, bool backward) {
  int64_t size = 0;
  with_size(k.head_dim, [&]<int kE>(std::integral_constant<int, kE>) {
    size = backward ? Backward<kE>::size(item.keys) : Forward<kE>::size(item.keys);
  });
  return size;
}

void forward(const Attention<Bf16>& k, const AttentionItem& item, float* scratch) {
  with_size(k.head_dim, [&]<int kE>(std::integral_constant<int, kE>) { attention_of<kE>(k, item, scratch); });
}

void backward(const Attention<Bf16>& k, const AttentionItem& item, float* scratch) {
  with_size(k.head_dim, [&]<int kE>(std::integral_constant<int, kE>) { attention_backward_of<kE>(k, item, scratch); });
}

}  // namespace

extern const TileAttention attention_amx;
const TileAttention attention_amx = {.takes = takes, .scratch = scratch_of, .forward = forward, .backward = backward};

}  // namespace st::kernels
