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

// Scores of 16 queries, a row for each key, become powers 2^(factor (s - highest)), 0 where dropped and behind the last
// key: pairs of keys, each in the first of its two rows. Their number is rounded up to 32. One memory for both stays in
// the first cache.
template <bool kDrops>
inline void softmax_pairs(int64_t keys, float* s_LI, float factor, const uint16_t* words, float* highest, float* sum) {
  __m512 most[4];
  for (int64_t c = 0; c < 4; ++c) most[c] = _mm512_loadu_ps(s_LI + (c < keys ? c : 0) * kTile);
  int64_t j = 4;
  for (; j + 4 <= keys; j += 4) {
    for (int64_t c = 0; c < 4; ++c) most[c] = _mm512_max_ps(most[c], _mm512_loadu_ps(s_LI + (j + c) * kTile));
  }
  for (; j < keys; ++j) most[0] = _mm512_max_ps(most[0], _mm512_loadu_ps(s_LI + j * kTile));
  const __m512 times = _mm512_set1_ps(factor);
  const __m512 top =
      _mm512_mul_ps(times, _mm512_max_ps(_mm512_max_ps(most[0], most[1]), _mm512_max_ps(most[2], most[3])));
  __m512 sums[2] = {};
  const auto power_at = [&](int64_t key, __m512& total) {
    const __m512 x = power_of_two(_mm512_fmsub_ps(_mm512_loadu_ps(s_LI + key * kTile), times, top));
    total = _mm512_add_ps(total, x);
    return rounded(kDrops ? words[key] : 0xFFFF, x);
  };
  for (j = 0; j + 2 <= keys; j += 2) {
    const __m512i even = power_at(j, sums[0]), odd = power_at(j + 1, sums[1]);
    _mm512_storeu_si512(s_LI + j * kTile, joined(even, odd));
  }
  if (j < keys) {
    _mm512_storeu_si512(s_LI + j * kTile, joined(power_at(j, sums[0]), _mm512_setzero_si512()));
    j += 2;
  }
  for (; j < whole(keys); j += 2) _mm512_storeu_si512(s_LI + j * kTile, _mm512_setzero_si512());
  _mm512_storeu_ps(highest, top);
  _mm512_storeu_ps(sum, _mm512_add_ps(sums[0], sums[1]));
}

// Memory of the forward pass, of 16 queries I at a time. Lp: keys up to a multiple of 32.
template <int kE>
struct Forward {
  static int64_t size(int64_t keys) {
    const int64_t numbers = whole(keys) * kTile + 2 * kE * kTile + 2 * kTile;
    const int64_t elements = whole(keys) * 2 * kE + kE * kTile;
    return numbers + elements / 2 + keys + 8;
  }
  Forward(int64_t keys, float* scratch)
      : padded_keys(whole(keys)),
        s_LI(scratch),
        o_EI(s_LI + padded_keys * kTile),
        o_IE(o_EI + kE * kTile),
        highest_I(o_IE + kTile * kE),
        sum_I(highest_I + kTile),
        k_LE(reinterpret_cast<Bf16*>(sum_I + kTile)),
        v_EL(k_LE + padded_keys * kE),
        q_EI(v_EL + padded_keys * kE),
        mask(reinterpret_cast<uint16_t*>(q_EI + kE * kTile)) {}
  int64_t padded_keys;
  float *s_LI, *o_EI, *o_IE, *highest_I, *sum_I;
  Bf16 *k_LE, *v_EL, *q_EI;
  uint16_t* mask;
};

// o_EI = V' 2^(factor (scores - highest)) for 16 queries. words: of their mask, or null.
template <int kE>
inline void attend(int64_t keys, float factor, const uint16_t* words, const Forward<kE>& m) {
  const int64_t strip = m.padded_keys * kTile;
  tiles_of_rows<false>(keys, kE / kPairs, {m.k_LE, kE * 2, kPairs, kTile * kE}, 2 * kTile * kE,
                       {m.q_EI, 64, kTileElements, 0}, m.s_LI, kTile, false);
  (words != nullptr ? softmax_pairs<true> : softmax_pairs<false>)(keys, m.s_LI, factor, words, m.highest_I, m.sum_I);
  const Operand pairs = {reinterpret_cast<const Bf16*>(m.s_LI), 2 * 64, 2 * kTileElements, 0};
  tiles_of_rows<false>(kE, m.padded_keys / kPairs, {m.v_EL, 64, kTileElements, strip}, 2 * strip, pairs, m.o_EI, kTile,
                       false);
}

template <int kE>
void attention_of(const Attention<Bf16>& k, const AttentionItem& item, float* scratch) {
  const Tiles tiles;
  const Forward<kE> m(item.keys, scratch);
  const float scale = k.dropout.threshold > 0 ? static_cast<float>(k.dropout.scale) : 1.0f;
  for (int64_t head = item.head; head < item.head_end; ++head) {
    if (head == item.head || head % k.group == 0) {
      const int64_t column = head / k.group * kE;
      copy_rows<kE>(k.k.data + item.first_key * k.k.stride + column, k.k.stride, item.keys, m.k_LE);
      pack_columns<kE>(k.v.data + item.first_key * k.v.stride + column, k.v.stride, item.keys, m.padded_keys * kTile,
                       m.v_EL);
    }
    for (int64_t first = 0; first < item.queries; first += kQueries) {
      const Block b = block_of(k, item, first);
      const Mask mask = mask_of(k, item, head, b, true, m.mask);
      for (int64_t part = 0; part < b.queries; part += kTile) {
        const int64_t token = item.first_query + first + part;
        const int64_t queries = b.queries - part < kTile ? b.queries - part : kTile;
        pack_tokens<kE>(k.q.data + token * k.q.stride + head * kE, k.q.stride, queries, m.q_EI);
        attend<kE>(item.keys, kPerNat<float> / k.divisor,
                   mask.words != nullptr ? mask.words + part / kTile * mask.stride : nullptr, m);
        if (k.lse_HT != nullptr) {
          float* lse = k.lse_HT + head * k.tokens + token;
          for (int64_t i = 0; i < queries; ++i) lse[i] = m.highest_I[i] / kPerNat<float> + logarithm(m.sum_I[i]);
        }
        for (int64_t i = 0; i < kTile; ++i) m.sum_I[i] = scale / m.sum_I[i];
        transpose_sums<kE>(m.o_EI, kTile, queries, m.o_IE);
        scatter<kE>(m.o_IE, queries, kE, m.sum_I, 1, k.out.data + token * k.out.stride + head * kE, k.out.stride,
                    static_cast<float*>(nullptr), false);
      }
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
  const bool biased = k.bias_HR != nullptr || k.positions.reach > 0;
  return sized && item.keys >= kLeastKeys && !biased && k.behind >= longest && k.ahead >= longest;
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
