#pragma once

// Dropout masks of attention as bits: for 16 queries a word of each key, [query / 16][key].

#include "ops/cpu/attention_block.inl"
#include "ops/cpu/lanes.inl"
#include "ops/cpu/mask_row.inl"

typedef uint64_t Wide __attribute__((vector_size(kRegister)));

// The product of the low halves.
ST_INLINE Wide multiply_low(Wide a, uint32_t b) {
#if defined(__AVX512F__)
  // The form without a mask warns of a variable that is not set.
  return reinterpret_cast<Wide>(
      _mm512_maskz_mul_epu32(0xFF, reinterpret_cast<__m512i>(a), _mm512_set1_epi32(static_cast<int>(b))));
#elif defined(__AVX2__)
  return reinterpret_cast<Wide>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), _mm256_set1_epi32(static_cast<int>(b))));
#else
  return (a & 0xFFFFFFFF) * b;
#endif
}

// A bit for every lane whose upper 16 bits are not below the threshold.
ST_INLINE uint32_t bits_at_least(Ints<float> x, uint32_t threshold) {
#if defined(__AVX512F__)
  return _mm512_cmpge_epu32_mask(reinterpret_cast<__m512i>(x), _mm512_set1_epi32(static_cast<int>(threshold << 16)));
#elif defined(__AVX2__)
  const __m256i upper = _mm256_srli_epi32(reinterpret_cast<__m256i>(x), 16);
  const __m256i more = _mm256_cmpgt_epi32(upper, _mm256_set1_epi32(static_cast<int>(threshold) - 1));
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(more)));
#else
  uint32_t bits = 0;
  for (int l = 0; l < Lanes<float>::width; ++l)
    bits |= static_cast<uint32_t>(static_cast<uint32_t>(x[l]) >> 16 >= threshold) << l;
  return bits;
#endif
}

// The low halves of both, those of `odd` above those of `even`.
ST_INLINE Ints<float> woven(Wide even, Wide odd) {
#if defined(__AVX512F__)
  return reinterpret_cast<Ints<float>>(_mm512_mask_shuffle_epi32(reinterpret_cast<__m512i>(even), 0xAAAA,
                                                                 reinterpret_cast<__m512i>(odd), _MM_PERM_CCAA));
#else
  return reinterpret_cast<Ints<float>>((even & 0xFFFFFFFF) | odd << 32);
#endif
}

// The high halves as low ones; those above are arbitrary. A shift would take the port that multiplies.
ST_INLINE Wide high_halves(Wide x) {
#if defined(__AVX512F__)
  return reinterpret_cast<Wide>(_mm512_maskz_shuffle_epi32(0xFFFF, reinterpret_cast<__m512i>(x), _MM_PERM_DDBB));
#elif defined(__AVX2__)
  return reinterpret_cast<Wide>(_mm256_shuffle_epi32(reinterpret_cast<__m256i>(x), 0xF5));
#else
  return x >> 32;
#endif
}

// The three by exclusive or.
ST_INLINE Wide mixed(Wide a, Wide b, uint32_t c) {
#if defined(__AVX512F__)
  constexpr int kXor = 0x96;
  return reinterpret_cast<Wide>(_mm512_ternarylogic_epi32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b),
                                                          _mm512_set1_epi32(static_cast<int>(c)), kXor));
#else
  return a ^ b ^ c;
#endif
}

constexpr uint32_t kPhilox[2] = {0xD2511F53, 0xCD9E8D57}, kPhiloxStep[2] = {0x9E3779B9, 0xBB67AE85};

// mask[i] for key `key` + i of `keys` keys, `key` a multiple of 8, and the 16 queries from `query` on:
// Dropout::attention_multiplier of core/philox.h, where one counter serves 8 keys. Only the low halves of the 64 bits
// of a lane count. The counters differ in the query alone, so that most of the first three rounds are numbers, or the
// same for all keys.
static void draw_attention_mask(const Dropout& dropout, uint32_t row, uint32_t head, uint32_t query, int64_t key,
                                int64_t keys, uint16_t* mask) {
  constexpr int kHalf = kRegister / 8, kVectors = 16 / kHalf;
  const auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  const auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  const uint32_t key0 = low(dropout.key), key1 = high(dropout.key), site = dropout.site | head << 16;
  const uint64_t of_row = uint64_t{kPhilox[1]} * mask_row(dropout, row);
  Wide of_query[kVectors];  // the product of the second round
  for (int v = 0; v < kVectors; ++v) {
    Wide x{};
    // Even queries in one vector and odd ones in the next: put together, they stand in order.
    for (int l = 0; l < kHalf; ++l) x[l] = query + static_cast<uint32_t>(v / 2 * 2 * kHalf + 2 * l + v % 2);
    of_query[v] = multiply_low(x ^ (high(of_row) ^ key0), kPhilox[0]);
  }
  for (int64_t first = 0; first < keys; first += 8) {
    const uint64_t of_keys = uint64_t{kPhilox[0]} * static_cast<uint32_t>((key + first) / 8);
    const uint64_t second = uint64_t{kPhilox[1]} * (high(of_keys) ^ site ^ key1);
    const uint64_t third = uint64_t{kPhilox[0]} * (high(second) ^ low(of_row) ^ (key0 + kPhiloxStep[0]));
    uint32_t k0 = key0 + 2 * kPhiloxStep[0], k1 = key1 + 2 * kPhiloxStep[1];
    const Wide zero = {};
    Wide x[4][kVectors];
    for (int v = 0; v < kVectors; ++v) {
      const Wide p =
          multiply_low(mixed(high_halves(of_query[v]), zero, low(of_keys) ^ (key1 + kPhiloxStep[1])), kPhilox[1]);
      x[0][v] = mixed(high_halves(p), zero, low(second) ^ k0);
      x[1][v] = p;
      x[2][v] = mixed(of_query[v], zero, high(third) ^ k1);
      x[3][v] = zero + low(third);
    }
    for (int round = 3; round < 10; ++round) {
      k0 += kPhiloxStep[0];
      k1 += kPhiloxStep[1];
      for (int v = 0; v < kVectors; ++v) {
        const Wide p0 = multiply_low(x[0][v], kPhilox[0]), p1 = multiply_low(x[2][v], kPhilox[1]);
        x[0][v] = mixed(high_halves(p1), x[1][v], k0);
        x[2][v] = mixed(high_halves(p0), x[3][v], k1);
        x[1][v] = p1;
        x[3][v] = p0;
      }
    }
    uint16_t words[8];
    for (int word = 0; word < 4; ++word) {
      uint32_t first_key = 0, second_key = 0;
      for (int v = 0; v < kVectors; v += 2) {
        const Ints<float> both = woven(x[word][v], x[word][v + 1]);
        first_key |= bits_at_least(both << 16, dropout.threshold) << (v * kHalf);
        second_key |= bits_at_least(both, dropout.threshold) << (v * kHalf);
      }
      words[2 * word] = static_cast<uint16_t>(first_key);
      words[2 * word + 1] = static_cast<uint16_t>(second_key);
    }
    const int64_t count = keys - first < 8 ? keys - first : 8;
    if (count == 8) {
      __builtin_memcpy(mask + first, words, sizeof words);
    } else {
      for (int64_t j = 0; j < count; ++j) mask[first + j] = words[j];
    }
  }
}

// A bit for each probability, 1 = kept: words[key] for the first 16 queries, `stride` behind it for the next.
struct Mask {
  const uint16_t* words = nullptr;  // null: nothing is dropped
  int64_t stride = 0;
};

// The mask of a block from key b.from on; drawn unless `kept` says that it was kept. `memory` takes what is not kept.
template <typename S>
ST_INLINE Mask mask_of(const Attention<S>& k, const AttentionItem& item, int64_t head, const Block& b, bool draw,
                       uint16_t* memory) {
  if (k.dropout.threshold == 0) return {};
  const int64_t start = b.from / 8 * 8;  // a draw serves 8 keys
  const bool kept = item.mask_words > 0;
  const int64_t stride = kept ? item.keys : b.to - start;
  uint16_t* words = kept ? k.mask + item.mask + head * item.mask_words + b.first / 16 * stride + start : memory;
  for (int64_t q = 0; (draw || !kept) && q < b.queries; q += 16) {
    draw_attention_mask(k.dropout, static_cast<uint32_t>(item.row), static_cast<uint32_t>(head),
                        static_cast<uint32_t>(b.first + q), start, b.to - start, words + q / 16 * stride);
  }
  return {words + (b.from - start), stride};
}
