#pragma once

// The masks of dropout (core/philox.h is the reference). Included by the kernels that need them.

#include "ops/cpu/mask_row.inl"
#include "ops/cpu/simd.inl"

constexpr int kDraw = 128;  // columns of one group: 8 words of 16 bits
constexpr int32_t kBits[16] = {1,      1 << 1, 1 << 2,  1 << 3,  1 << 4,  1 << 5,  1 << 6,  1 << 7,
                               1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15};

// `row`: of mask_row. kept[w] bit l: whether column 128 * group + 16 * w + l is kept.
#if defined(__AVX512F__)
ST_INLINE void draw_kept(const Dropout& dropout, uint32_t row, uint32_t position, uint32_t head, uint32_t group,
                         uint16_t* kept) {
  typedef uint64_t V __attribute__((vector_size(64)));
  typedef uint32_t W __attribute__((vector_size(64)));
  // Counters are in the lower halves of 64-bit lanes, which is all that vpmuludq reads. The upper halves are
  // arbitrary.
  const auto product = [](V a, uint64_t b) {
    return reinterpret_cast<V>(_mm512_maskz_mul_epu32(0xFF, reinterpret_cast<__m512i>(a), _mm512_set1_epi64(b)));
  };
  const V zero = {}, lane = {0, 1, 2, 3, 4, 5, 6, 7};
  V x0[2] = {}, x1[2] = {}, x2[2] = {}, x3[2] = {};
  for (int half = 0; half < 2; ++half) {
    x0[half] = lane + (group * 16 + half * 8);
    x1[half] = zero + position;
    x2[half] = zero + row;
    x3[half] = zero + (dropout.site | head << 16);
  }
  uint32_t k0 = static_cast<uint32_t>(dropout.key), k1 = static_cast<uint32_t>(dropout.key >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    for (int half = 0; half < 2; ++half) {
      const V p0 = product(x0[half], 0xD2511F53), p1 = product(x2[half], 0xCD9E8D57);
      x0[half] = (p1 >> 32) ^ x1[half] ^ k0;
      x2[half] = (p0 >> 32) ^ x3[half] ^ k1;
      x1[half] = p1;
      x3[half] = p0;
    }
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  const W lower = {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30};
  const V* pairs[4] = {x0, x1, x2, x3};
  for (int w = 0; w < 4; ++w) {
    const W words = __builtin_shuffle(reinterpret_cast<W>(pairs[w][0]), reinterpret_cast<W>(pairs[w][1]), lower);
    const __m512i threshold = _mm512_set1_epi32(static_cast<int>(dropout.threshold));
    kept[2 * w] = _mm512_cmpge_epu32_mask(reinterpret_cast<__m512i>(words & 0xFFFF), threshold);
    kept[2 * w + 1] = _mm512_cmpge_epu32_mask(reinterpret_cast<__m512i>(words >> 16), threshold);
  }
}
#else
ST_INLINE void draw_kept(const Dropout& dropout, uint32_t row, uint32_t position, uint32_t head, uint32_t group,
                         uint16_t* kept) {
  constexpr int L = 16;
  uint32_t x0[L], x1[L], x2[L], x3[L];
  for (int l = 0; l < L; ++l) {
    x0[l] = group * 16 + l;
    x1[l] = position;
    x2[l] = row;
    x3[l] = dropout.site | head << 16;
  }
  uint32_t k0 = static_cast<uint32_t>(dropout.key), k1 = static_cast<uint32_t>(dropout.key >> 32);
  for (int round = 0; round < 10; ++round) {
#pragma omp simd
    for (int l = 0; l < L; ++l) {
      const uint64_t p0 = uint64_t{0xD2511F53} * x0[l], p1 = uint64_t{0xCD9E8D57} * x2[l];
      const uint32_t y0 = static_cast<uint32_t>(p1 >> 32) ^ x1[l] ^ k0;
      const uint32_t y2 = static_cast<uint32_t>(p0 >> 32) ^ x3[l] ^ k1;
      x1[l] = static_cast<uint32_t>(p1);
      x3[l] = static_cast<uint32_t>(p0);
      x0[l] = y0;
      x2[l] = y2;
    }
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  const uint32_t* words[4] = {x0, x1, x2, x3};
  for (int w = 0; w < 8; ++w) {
    const uint32_t* word = words[w / 2];
    const uint32_t shift = w % 2 * 16;
    int32_t bits = 0;
    const int32_t threshold = static_cast<int32_t>(dropout.threshold);
#pragma omp simd reduction(| : bits)
    for (int l = 0; l < L; ++l) {
      bits |= static_cast<int32_t>((word[l] >> shift) & 0xFFFF) >= threshold ? kBits[l] : 0;
    }
    kept[w] = static_cast<uint16_t>(bits);
  }
}
#endif

// to[l] = bit l of `kept` ? scale : 0, for 16 elements.
template <typename A>
ST_INLINE void spread(uint16_t kept, A scale, A* to) {
#if defined(__AVX512F__)
  if constexpr (sizeof(A) == 4) {
    _mm512_storeu_ps(to, _mm512_maskz_mov_ps(kept, _mm512_set1_ps(scale)));
  } else {
    _mm512_storeu_pd(to, _mm512_maskz_mov_pd(static_cast<uint8_t>(kept), _mm512_set1_pd(scale)));
    _mm512_storeu_pd(to + 8, _mm512_maskz_mov_pd(static_cast<uint8_t>(kept >> 8), _mm512_set1_pd(scale)));
  }
#else
  const int32_t bits = kept;
#pragma omp simd
  for (int l = 0; l < 16; ++l) to[l] = (bits & kBits[l]) != 0 ? scale : A(0);
#endif
}

// mask_words of ops/dropout.h.
ST_INLINE int64_t words_of(int64_t width) {
  return (width + kDraw - 1) / kDraw * 8;
}

// The mask of one token (DropoutMask of ops/dropout.h).
ST_INLINE void draw_mask(const Dropout& dropout, uint32_t row, uint32_t position, int64_t width, uint16_t* mask) {
  const uint32_t number = mask_row(dropout, row);
  for (int64_t group = 0; group * kDraw < width; ++group) {
    draw_kept(dropout, number, position, 0, static_cast<uint32_t>(group), mask + group * 8);
  }
}

// Factors of `width` columns, rounded up to 16.
template <typename A>
ST_INLINE void spread_mask(const uint16_t* mask, A scale, int64_t width, A* multiplier) {
  for (int64_t word = 0; word * 16 < width; ++word) spread(mask[word], scale, multiplier + word * 16);
}

// The last of the three rows of scratch (norm_scratch), for the factors of dropout.
template <typename A>
ST_INLINE A* multiplier_row(A* scratch, int64_t width) {
  return scratch + 2 * padded(width);
}

template <typename S>
static void drop(const Drop<S>& k, int64_t begin, int64_t end, arithmetic_t<S>* scratch) {
  using A = arithmetic_t<S>;
  A* multiplier = multiplier_row(scratch, k.width);
  uint16_t* mask = reinterpret_cast<uint16_t*>(scratch);
  for (int64_t t = begin; t < end; ++t) {
    draw_mask(k.dropout, k.tokens.rows[t], k.tokens.positions[t], k.width, mask);
    spread_mask(mask, static_cast<A>(k.dropout.scale), k.width, multiplier);
    S* const both[] = {k.first_TD, k.second_TD};
    for (S* x_TD : both) {
      if (x_TD == nullptr) continue;
      S* x = x_TD + t * k.width;
#pragma omp simd
      for (int64_t i = 0; i < k.width; ++i) store(x[i], load(x[i]) * multiplier[i]);
    }
  }
}
