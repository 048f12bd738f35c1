#pragma once

// Dropout masks of attention as bits: for 16 queries a word of each key, [query / 16][key].

#include "ops/cpu/dropout.inl"
#include "ops/cpu/lanes.inl"

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

// A bit for every lane of x (below 65,536) that is not below the threshold.
ST_INLINE uint32_t bits_at_least(Ints<float> x, int32_t threshold) {
#if defined(__AVX512F__)
  return _mm512_cmpge_epi32_mask(reinterpret_cast<__m512i>(x), _mm512_set1_epi32(threshold));
#elif defined(__AVX2__)
  const __m256i more = _mm256_cmpgt_epi32(reinterpret_cast<__m256i>(x), _mm256_set1_epi32(threshold - 1));
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(more)));
#else
  uint32_t bits = 0;
  for (int l = 0; l < Lanes<float>::width; ++l) bits |= static_cast<uint32_t>(x[l] >= threshold) << l;
  return bits;
#endif
}

// mask[i] for key `key` + i of `keys` keys, `key` a multiple of 8, and the 16 queries from `query` on:
// Dropout::attention_multiplier of core/philox.h, where one counter serves 8 keys. Only the low halves of the 64 bits
// of a lane count.
static void draw_attention_mask(const Dropout& dropout, uint32_t row, uint32_t head, uint32_t query, int64_t key,
                                int64_t keys, uint16_t* mask) {
  constexpr int kHalf = kRegister / 8, kVectors = 16 / kHalf;
  const uint32_t number = mask_row(dropout, row);
  for (int64_t first = 0; first < keys; first += 8) {
    const Wide zero = {};
    Wide x[4][kVectors] = {};
    for (int v = 0; v < kVectors; ++v) {
      x[0][v] = zero + static_cast<uint64_t>((key + first) / 8);
      // Even queries in one vector and odd ones in the next: put together, they stand in order.
      for (int l = 0; l < kHalf; ++l) x[1][v][l] = query + static_cast<uint32_t>(v / 2 * 2 * kHalf + 2 * l + v % 2);
      x[2][v] = zero + number;
      x[3][v] = zero + (dropout.site | head << 16);
    }
    uint32_t k0 = static_cast<uint32_t>(dropout.key), k1 = static_cast<uint32_t>(dropout.key >> 32);
    for (int round = 0; round < 10; ++round) {
      for (int v = 0; v < kVectors; ++v) {
        const Wide p0 = multiply_low(x[0][v], 0xD2511F53), p1 = multiply_low(x[2][v], 0xCD9E8D57);
        x[0][v] = (p1 >> 32) ^ x[1][v] ^ k0;
        x[2][v] = (p0 >> 32) ^ x[3][v] ^ k1;
        x[1][v] = p1;
        x[3][v] = p0;
      }
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    uint16_t words[8];
    for (int word = 0; word < 4; ++word) {
      uint32_t low = 0, high = 0;
      for (int v = 0; v < kVectors; v += 2) {
        const auto both = reinterpret_cast<Ints<float>>((x[word][v] & 0xFFFFFFFF) | x[word][v + 1] << 32);
        const auto threshold = static_cast<int32_t>(dropout.threshold);
        low |= bits_at_least(both & 0xFFFF, threshold) << (v * kHalf);
        high |= bits_at_least((both >> 16) & 0xFFFF, threshold) << (v * kHalf);
      }
      words[2 * word] = static_cast<uint16_t>(low);
      words[2 * word + 1] = static_cast<uint16_t>(high);
    }
    const int64_t count = keys - first < 8 ? keys - first : 8;
    if (count == 8) {
      __builtin_memcpy(mask + first, words, sizeof words);
    } else {
      for (int64_t j = 0; j < count; ++j) mask[first + j] = words[j];
    }
  }
}
