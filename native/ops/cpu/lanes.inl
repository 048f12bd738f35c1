#pragma once

// Vectors as wide as the registers of the instruction set, with attention's operations on them. Included by
// kernels.cpp.

#include "ops/cpu/simd.inl"

template <typename A>
struct Lanes {
  static constexpr int width = kRegister / static_cast<int>(sizeof(A));
  using Int = std::conditional_t<sizeof(A) == 4, int32_t, int64_t>;
  typedef A type __attribute__((vector_size(kRegister), aligned(alignof(A)), may_alias));
  typedef Int ints __attribute__((vector_size(kRegister), aligned(alignof(A)), may_alias));
  typedef std::make_unsigned_t<Int> words __attribute__((vector_size(kRegister), aligned(alignof(A)), may_alias));
};
template <typename A>
using Vec = typename Lanes<A>::type;
template <typename A>
using Ints = typename Lanes<A>::ints;
// The bits of lanes. Sums and shifts wrap for any content.
template <typename A>
using Words = typename Lanes<A>::words;

template <typename A>
ST_INLINE Vec<A> load_lanes(const A* from) {
  return *reinterpret_cast<const Vec<A>*>(from);
}
ST_INLINE Vec<float> load_lanes(const Bf16* from) {
  typedef uint16_t Half __attribute__((vector_size(kRegister / 2), aligned(2), may_alias));
  const auto bits = __builtin_convertvector(*reinterpret_cast<const Half*>(from), Words<float>) << 16;
  return reinterpret_cast<Vec<float>>(bits);
}
template <typename A>
ST_INLINE void store_lanes(A* to, Vec<A> x) {
  *reinterpret_cast<Vec<A>*>(to) = x;
}
ST_INLINE void store_lanes(Bf16* to, Vec<float> x) {
  typedef uint16_t Half __attribute__((vector_size(kRegister / 2), aligned(2), may_alias));
  typedef uint32_t Word __attribute__((vector_size(kRegister)));
  const Word bits = reinterpret_cast<Word>(x);
  *reinterpret_cast<Half*>(to) = __builtin_convertvector((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16, Half);
}

// 2^x (float) or e^x (double) for x <= 0: 1 unit in the last place; results below the smallest normal number are
// 0-like.
ST_INLINE Vec<float> power(Vec<float> x) {
  const Vec<float> lowest = Vec<float>{} - 126.0f;
  x = x > lowest ? x : lowest;
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const Vec<float> shifted = x + magic;
  const Vec<float> r = x - (shifted - magic);
  Vec<float> p = r * 1.5347320004366338e-4f + 1.340015442110598e-3f;  // minimax, relative error 2e-9
  p = p * r + 9.618484415113926e-3f;
  p = p * r + 5.5503278970718384e-2f;
  p = p * r + 2.4022646248340607e-1f;
  p = p * r + 6.931471824645996e-1f;
  p = p * r + 1.0f;
  return reinterpret_cast<Vec<float>>(reinterpret_cast<Words<float>>(p) +
                                      (reinterpret_cast<Words<float>>(shifted) << 23));
}
ST_INLINE Vec<double> power(Vec<double> x) {
  for (int l = 0; l < Lanes<double>::width; ++l) x[l] = __builtin_exp(x[l]);
  return x;
}

// x where the bit of the lane is set, else 0.
template <typename A>
ST_INLINE Vec<A> keep(Vec<A> x, uint32_t bits) {
#if defined(__AVX512F__)
  if constexpr (sizeof(A) == 4) {
    return _mm512_maskz_mov_ps(static_cast<__mmask16>(bits), x);
  } else {
    return _mm512_maskz_mov_pd(static_cast<__mmask8>(bits), x);
  }
#else
  Ints<A> lane{};
  for (int l = 0; l < Lanes<A>::width; ++l) lane[l] = 1 << l;
  const Ints<A> all = Ints<A>{} + static_cast<typename Lanes<A>::Int>(bits);
  return (all & lane) != 0 ? x : Vec<A>{};
#endif
}

// The square of vectors x[i][e] becomes x[e][i].
template <typename A>
ST_INLINE void transpose_square(Vec<A>* x) {
  constexpr int W = Lanes<A>::width;
#pragma GCC unroll 4
  for (int d = 1; d < W; d *= 2) {
    Ints<A> low{}, high{};
    for (int l = 0; l < W; ++l) {
      low[l] = l & d ? W + l - d : l;
      high[l] = l & d ? W + l : l + d;
    }
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) {
      if (i & d) continue;
      const Vec<A> a = x[i], b = x[i + d];
      x[i] = __builtin_shuffle(a, b, low);
      x[i + d] = __builtin_shuffle(a, b, high);
    }
  }
}
