#pragma once

// The backward pass of attention on tiles. Included by amx_attention.cpp. The probabilities of a chunk of queries and
// the gradients of their scores are kept in bfloat16, so that the sums over queries stay in the tiles for all of them.

#include "ops/cpu/amx_attention.inl"

constexpr int64_t kBlocks = 4;  // of kQueries queries in a chunk
constexpr int64_t kKeys = 64;   // whose scores and gradients are computed at once: those stay in the first cache

// Lp: keys up to a multiple of 32.
template <int kE>
struct Backward {
  static constexpr int64_t kChunk = kBlocks * kQueries;
  static int64_t size(int64_t keys) {
    const int64_t numbers = 2 * kKeys * kQueries + 2 * whole(keys) * kE + 2 * kQueries * kE + 2 * kQueries;
    const int64_t elements = whole(keys) * (3 * kE + 2 * kChunk + kQueries) + 2 * kChunk * kE + 2 * kQueries * kE;
    return numbers + elements / 2 + keys + 8;
  }
  Backward(int64_t keys, float* scratch)
      : padded_keys(whole(keys)),
        s_LI(scratch),
        dp_LI(s_LI + kKeys * kQueries),
        dk_LE(dp_LI + kKeys * kQueries),
        dv_LE(dk_LE + padded_keys * kE),
        dq_EI(dv_LE + padded_keys * kE),
        dq_IE(dq_EI + kE * kQueries),
        lse_I(dq_IE + kE * kQueries),
        delta_I(lse_I + kQueries),
        k_LE(reinterpret_cast<Bf16*>(delta_I + kQueries)),
        v_LE(k_LE + padded_keys * kE),
        k_EL(v_LE + padded_keys * kE),
        p_LC(k_EL + padded_keys * kE),
        ds_LC(p_LC + padded_keys * kChunk),
        ds_LI(ds_LC + padded_keys * kChunk),
        q_CE(ds_LI + padded_keys * kQueries),
        do_CE(q_CE + kChunk * kE),
        q_EI(do_CE + kChunk * kE),
        do_EI(q_EI + kQueries * kE),
        mask(reinterpret_cast<uint16_t*>(do_EI + kQueries * kE)) {}
  int64_t padded_keys;
  float *s_LI, *dp_LI, *dk_LE, *dv_LE, *dq_EI, *dq_IE, *lse_I, *delta_I;
  Bf16 *k_LE, *v_LE, *k_EL;           // rows, rows, and strips of K'
  Bf16 *p_LC, *ds_LC;                 // tiles [key / 16][block]: 16 keys by pairs of queries i and 16 + i
  Bf16* ds_LI;                        // of one block: pairs of keys by 16 queries, half by half
  Bf16 *q_CE, *do_CE, *q_EI, *do_EI;  // pack_depth and pack_tokens
  uint16_t* mask;
};

struct Scale {
  float scores;   // to powers of two
  float dropout;  // of what it keeps
};

// The vectors of two keys for 16 queries each, become rounded probabilities and gradients of scores.
struct Cell {
  __m512i p, ds;
};

template <bool kDrops>
ST_INLINE Cell cell_of(const float* s, const float* dp, __mmask16 kept, __m512 lse, __m512 less_delta, __m512 scores,
                       __m512 dropout) {
  const __m512 x = power_of_two(_mm512_fmsub_ps(_mm512_loadu_ps(s), scores, lse));
  const __m512 d = _mm512_loadu_ps(dp);
  const __m512 less = kDrops ? _mm512_mask3_fmadd_ps(d, dropout, less_delta, kept) : _mm512_add_ps(d, less_delta);
  return {rounded(kDrops ? kept : 0xFFFF, x), rounded(0xFFFF, _mm512_mul_ps(x, less))};
}

// P and dS of block `block` for the keys [from, end) from their scores and the gradients of their probabilities.
template <bool kBoth, bool kDrops, int kE>
inline void softmax_gradient(int64_t keys, int64_t from, int64_t end, int64_t block, Mask mask, const Scale& scale,
                             const Backward<kE>& m) {
  constexpr int kHalves = kBoth ? 2 : 1;
  const __m512 scores = _mm512_set1_ps(scale.scores), dropout = _mm512_set1_ps(scale.dropout);
  __m512 lse[2], less_delta[2];
  for (int half = 0; half < 2; ++half) {
    lse[half] = _mm512_loadu_ps(m.lse_I + half * kTile);
    less_delta[half] = _mm512_sub_ps(_mm512_setzero_ps(), _mm512_loadu_ps(m.delta_I + half * kTile));
  }
  const __m512i zero = _mm512_setzero_si512();
  for (int64_t j = from; j < end; j += 2) {
    Cell cells[2][2];  // [key][half]
    for (int key = 0; key < 2; ++key) {
      for (int half = 0; half < 2; ++half) {
        cells[key][half] = {zero, zero};
        if (half >= kHalves || j + key >= keys) continue;
        const int64_t at = (j + key - from) * kQueries + half * kTile;
        const __mmask16 kept = kDrops ? mask.words[half * mask.stride + j + key] : 0xFFFF;
        cells[key][half] =
            cell_of<kDrops>(m.s_LI + at, m.dp_LI + at, kept, lse[half], less_delta[half], scores, dropout);
      }
      const int64_t row = ((j + key) / kTile * kBlocks + block) * kTileElements + (j + key) % kTile * kPairs;
      _mm512_storeu_si512(m.p_LC + row, joined(cells[key][0].p, cells[key][1].p));
      _mm512_storeu_si512(m.ds_LC + row, joined(cells[key][0].ds, cells[key][1].ds));
    }
    for (int half = 0; half < kHalves; ++half) {
      _mm512_storeu_si512(m.ds_LI + half * m.padded_keys * kTile + j * kTile,
                          joined(cells[0][half].ds, cells[1][half].ds));
    }
  }
}

// The gradient of a block's queries, and what its keys need of it.
template <bool kBoth, int kE>
inline void differentiate(int64_t keys, int64_t block, Mask mask, const Scale& scale, const Backward<kE>& m) {
  const auto gradient = mask.words != nullptr ? softmax_gradient<kBoth, true, kE> : softmax_gradient<kBoth, false, kE>;
  for (int64_t from = 0; from < keys; from += kKeys) {
    const int64_t count = keys - from < kKeys ? keys - from : kKeys;
    const auto scores = [&](const Bf16* rows_LE, const Bf16* tokens_EI, float* to) {
      tiles_of_rows<kBoth>(count, kE / kPairs, {rows_LE + from * kE, kE * 2, kPairs, kTile * kE}, 2 * kTile * kE,
                           {tokens_EI, 64, kTileElements, kTile * kE}, to, kQueries, false);
    };
    scores(m.k_LE, m.q_EI, m.s_LI);
    scores(m.v_LE, m.do_EI, m.dp_LI);
    gradient(keys, from, from + whole(count), block, mask, scale, m);
  }
  const int64_t strip = m.padded_keys * kTile;
  tiles_of_rows<kBoth>(kE, m.padded_keys / kPairs, {m.k_EL, 64, kTileElements, strip}, 2 * strip,
                       {m.ds_LI, 64, kTileElements, strip}, m.dq_EI, kQueries, false);
}

// to_LE (+)= A_LC X_CE over `blocks` blocks of queries.
template <int kE>
inline void sum_over_queries(int64_t keys, int64_t blocks, const Bf16* a_LC, const Bf16* x_CE, float* to_LE, bool add) {
  constexpr int64_t kStrip = kBlocks * kTileElements;
  for (int64_t e = 0; e < kE; e += 2 * kTile) {
    tiles_of_rows<true>(keys, blocks, {a_LC, 64, kTileElements, kStrip}, 2 * kStrip,
                        {x_CE + e / kTile * kStrip, 64, kTileElements, kStrip}, to_LE + e, kE, add);
  }
}

// lse_I and delta_I of a block: sums over keys of p dp, which equal d_out . out also with dropout.
template <int kE>
inline void load_statistics(const Attention<Bf16>& k, int64_t queries, int64_t head, int64_t token,
                            const Backward<kE>& m) {
  for (int64_t i = 0; i < kQueries; ++i) {
    // Lanes behind the last query get probabilities of 0, and gradients of 0 with them.
    m.lse_I[i] = i < queries ? k.lse_HT[head * k.tokens + token + i] * kPerNat<float> : 1e30f;
    m.delta_I[i] = 0;
    if (i >= queries) continue;
    const Bf16* out = k.out.data + (token + i) * k.out.stride + head * kE;
    const Bf16* d_out = k.d_out.data + (token + i) * k.d_out.stride + head * kE;
    __m512 sum = _mm512_setzero_ps();
    for (int64_t e = 0; e < kE; e += kTile) sum = _mm512_fmadd_ps(load_lanes(out + e), load_lanes(d_out + e), sum);
    m.delta_I[i] = _mm512_reduce_add_ps(sum);
  }
}

// X' as it enters the scores, and X as it enters the sums over queries.
template <int kE>
inline void pack_block(TokenRows<const Bf16> x, int64_t token, int64_t column, int64_t queries, Bf16* x_EI,
                       Bf16* x_CE) {
  const Bf16* from = x.data + token * x.stride + column;
  pack_tokens<kE>(from, x.stride, queries, x_EI);
  if (queries > kTile) pack_tokens<kE>(from + kTile * x.stride, x.stride, queries - kTile, x_EI + kTile * kE);
  pack_depth<kE>(from, x.stride, queries, kBlocks * kTileElements, x_CE);
}

template <int kE>
void attention_backward_of(const Attention<Bf16>& k, const AttentionItem& item, float* scratch) {
  const Tiles tiles;
  const Backward<kE> m(item.keys, scratch);
  const float factor = 1 / k.divisor;
  const Scale scale{kPerNat<float> * factor, k.dropout.threshold > 0 ? static_cast<float>(k.dropout.scale) : 1.0f};
  bool add = false;  // to the gradients of keys and values
  for (int64_t head = item.head; head < item.head_end; ++head) {
    const int64_t column = head / k.group * kE;
    if (head % k.group == 0) {
      const Bf16* keys = k.k.data + item.first_key * k.k.stride + column;
      copy_rows<kE>(keys, k.k.stride, item.keys, m.k_LE);
      copy_rows<kE>(k.v.data + item.first_key * k.v.stride + column, k.v.stride, item.keys, m.v_LE);
      pack_columns<kE>(keys, k.k.stride, item.keys, m.padded_keys * kTile, m.k_EL);
      add = false;
    }
    float* sum_q = k.sum_q_RX != nullptr ? k.sum_q_RX + (item.row * k.heads + head) * kE : nullptr;
    for (int64_t chunk = 0; chunk < item.queries; chunk += kBlocks * kQueries, add = true) {
      int64_t blocks = 0;
      for (; blocks < kBlocks && chunk + blocks * kQueries < item.queries; ++blocks) {
        const Block b = block_of(k, item, chunk + blocks * kQueries);
        const int64_t token = item.first_query + b.first, tile = blocks * kTileElements;
        pack_block<kE>(k.q, token, head * kE, b.queries, m.q_EI, m.q_CE + tile);
        pack_block<kE>(k.d_out, token, head * kE, b.queries, m.do_EI, m.do_CE + tile);
        load_statistics<kE>(k, b.queries, head, token, m);
        const auto work = b.queries > kTile ? differentiate<true, kE> : differentiate<false, kE>;
        work(item.keys, blocks, mask_of(k, item, head, b, false, m.mask), scale, m);
        transpose_sums<kE>(m.dq_EI, kQueries, b.queries, m.dq_IE);
        scatter<kE>(m.dq_IE, b.queries, kE, &factor, 0, k.d_q.data + token * k.d_q.stride + head * kE, k.d_q.stride,
                    sum_q, b.first > 0);
      }
      sum_over_queries<kE>(item.keys, blocks, m.p_LC, m.do_CE, m.dv_LE, add);
      sum_over_queries<kE>(item.keys, blocks, m.ds_LC, m.q_CE, m.dk_LE, add);
    }
    if ((head + 1) % k.group != 0) continue;
    if (!add) fill(m.dk_LE, 2 * m.padded_keys * kE, 0.0f);  // no query: dk and dv lie one after the other
    const int64_t at = item.row * (k.heads / k.group) * kE + column;
    scatter<kE>(m.dk_LE, item.keys, kE, &factor, 0, k.d_k.data + item.first_key * k.d_k.stride + column, k.d_k.stride,
                k.sum_k_RY != nullptr ? k.sum_k_RY + at : nullptr, false);
    scatter<kE>(m.dv_LE, item.keys, kE, &scale.dropout, 0, k.d_v.data + item.first_key * k.d_v.stride + column,
                k.d_v.stride, k.sum_v_RY != nullptr ? k.sum_v_RY + at : nullptr, false);
  }
}
