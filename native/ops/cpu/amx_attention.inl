#pragma once

// Operands of attention on tiles and their products. Included by amx_attention.cpp.

constexpr int64_t kPairs = 32;          // depth of a tile: 16 pairs
constexpr int64_t kTileElements = 512;  // bfloat16 elements of a tile

ST_INLINE int64_t whole(int64_t count) {
  return (count + kPairs - 1) / kPairs * kPairs;
}

// Tiles of an operand: rows `row` bytes apart; the next tile in depth, and the second one beside it, so many elements
// on.
struct Operand {
  const Bf16* at;
  int64_t row, next, second;
};

// Sums of up to 32 x 32 (+)= A B over `steps` tiles of depth. Whether A has a second tile of rows, and B one of
// columns.
template <bool kRows, bool kColumns>
inline void block_of_tiles(int64_t steps, const Operand& a, const Operand& b, float* out, int64_t out_stride,
                           bool accumulate) {
  const int64_t bytes = out_stride * static_cast<int64_t>(sizeof(float));
  // GCC thinks that loading a tile reads no memory. This keeps earlier stores before it.
  asm volatile("" ::: "memory");
  if (accumulate) {
    _tile_loadd(0, out, bytes);
    if constexpr (kColumns) _tile_loadd(1, out + kTile, bytes);
    if constexpr (kRows) _tile_loadd(2, out + kTile * out_stride, bytes);
    if constexpr (kRows && kColumns) _tile_loadd(3, out + kTile * out_stride + kTile, bytes);
  } else {
    _tile_zero(0);
    if constexpr (kColumns) _tile_zero(1);
    if constexpr (kRows) _tile_zero(2);
    if constexpr (kRows && kColumns) _tile_zero(3);
  }
  const Bf16 *from_a = a.at, *from_b = b.at;
  for (int64_t step = 0; step < steps; ++step, from_a += a.next, from_b += b.next) {
    _tile_loadd(4, from_a, a.row);
    _tile_loadd(6, from_b, b.row);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kColumns) {
      _tile_loadd(7, from_b + b.second, b.row);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kRows) {
      _tile_loadd(5, from_a + a.second, a.row);
      _tile_dpbf16ps(2, 5, 6);
    }
    if constexpr (kRows && kColumns) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, out, bytes);
  if constexpr (kColumns) _tile_stored(1, out + kTile, bytes);
  if constexpr (kRows) _tile_stored(2, out + kTile * out_stride, bytes);
  if constexpr (kRows && kColumns) _tile_stored(3, out + kTile * out_stride + kTile, bytes);
}

// The same for any number of rows, rounded up to 16, which A's tiles hold `a_rows` elements apart for each 32.
template <bool kColumns>
inline void tiles_of_rows(int64_t rows, int64_t steps, Operand a, int64_t a_rows, const Operand& b, float* out,
                          int64_t out_stride, bool accumulate) {
  for (int64_t r = 0; r < rows; r += 2 * kTile, a.at += a_rows, out += 2 * kTile * out_stride) {
    if (rows - r > kTile) {
      block_of_tiles<true, kColumns>(steps, a, b, out, out_stride, accumulate);
    } else {
      block_of_tiles<false, kColumns>(steps, a, b, out, out_stride, accumulate);
    }
  }
}

// to_LE = `tokens` rows, up to a multiple of 32 with rows of 0.
template <int kE>
ST_INLINE void copy_rows(const Bf16* from, int64_t stride, int64_t tokens, Bf16* to) {
  for (int64_t i = 0; i < whole(tokens); ++i, from += stride) {
    for (int64_t e = 0; e < kE; e += kPairs, to += kPairs) {
      _mm512_storeu_si512(to, i < tokens ? _mm512_loadu_si512(from + e) : _mm512_setzero_si512());
    }
  }
}

// B = X': a tile for every 32 of kE, each with pairs of depth by 16 tokens, 0 behind the last.
template <int kE>
inline void pack_tokens(const Bf16* from, int64_t stride, int64_t tokens, Bf16* to) {
  for (int64_t e = 0; e < kE; e += kPairs, to += kTileElements) {
    if (tokens >= kTile) {
      transpose_rows(from + e, stride, to);
      continue;
    }
    __m512i rows[kTile];
    for (int64_t i = 0; i < kTile; ++i) {
      rows[i] = i < tokens ? _mm512_loadu_si512(from + i * stride + e) : _mm512_setzero_si512();
    }
    transpose(rows);
    for (int64_t i = 0; i < kTile; ++i) _mm512_storeu_si512(to + i * kPairs, rows[i]);
  }
}

// A = X': for every 16 of kE, `strip` elements apart, a tile for every 32 tokens.
template <int kE>
inline void pack_columns(const Bf16* from, int64_t stride, int64_t tokens, int64_t strip, Bf16* to) {
  for (int64_t t = 0; t < tokens; t += kPairs, from += kPairs * stride, to += kTileElements) {
    for (int64_t e = 0; e < kE; e += kTile) {
      if (tokens - t >= kPairs) {
        transpose_columns(from + e, stride, to + e / kTile * strip);
        continue;
      }
      __m512i pairs[kTile];
      for (int64_t i = 0; i < kTile; ++i) {
        const Bf16* even = from + 2 * i * stride + e;
        const int64_t left = tokens - t - 2 * i;
        pairs[i] = left > 0 ? pairs_of(even, left > 1 ? even + stride : nullptr, 0xFFFF) : _mm512_setzero_si512();
      }
      transpose(pairs);
      for (int64_t i = 0; i < kTile; ++i) _mm512_storeu_si512(to + e / kTile * strip + i * kPairs, pairs[i]);
    }
  }
}

// B = X for a depth of 32 tokens, with token i and 16 + i as pairs: for every 16 of kE a tile, `strip` elements apart.
template <int kE>
inline void pack_depth(const Bf16* from, int64_t stride, int64_t tokens, int64_t strip, Bf16* to) {
  for (int64_t e = 0; e < kE; e += kTile, to += strip) {
    for (int64_t i = 0; i < kTile; ++i) {
      const Bf16* low = from + i * stride + e;
      const __m512i pairs = i < tokens ? pairs_of(low, kTile + i < tokens ? low + kTile * stride : nullptr, 0xFFFF)
                                       : _mm512_setzero_si512();
      _mm512_storeu_si512(to + i * kPairs, pairs);
    }
  }
}

// to_IE = from_EI' for up to `stride` tokens.
template <int kE>
inline void transpose_sums(const float* from_EI, int64_t stride, int64_t tokens, float* to_IE) {
  for (int64_t i = 0; i < tokens; i += kTile) {
    for (int64_t e = 0; e < kE; e += kTile) {
      __m512i rows[kTile];
      for (int64_t r = 0; r < kTile; ++r) rows[r] = _mm512_loadu_si512(from_EI + (e + r) * stride + i);
      transpose(rows);
      for (int64_t r = 0; r < kTile; ++r) _mm512_storeu_si512(to_IE + (i + r) * kE + e, rows[r]);
    }
  }
}

// 2^x; relative error 3e-6, a hundredth of what rounding to bfloat16 leaves.
ST_INLINE __m512 power_of_two(__m512 x) {
  constexpr int kDown = 0x09;
  const __m512 r = _mm512_reduce_ps(x, kDown);  // x - floor(x)
  __m512 p = _mm512_set1_ps(0.013534167781472206f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.052011460065841675f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.2414427548646927f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.6930038332939148f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0000026226043701f));
  return _mm512_scalef_ps(p, x);
}

// Rounded to bfloat16 in the upper half, where the bit of the lane is set, else 0.
ST_INLINE __m512i rounded(__mmask16 kept, __m512 x) {
  return _mm512_maskz_add_epi32(kept, _mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
}

// The upper halves of the lanes as pairs.
ST_INLINE __m512i joined(__m512i low, __m512i high) {
  return _mm512_mask_blend_epi16(0xAAAAAAAA, _mm512_srli_epi32(low, 16), high);
}
