// Shared parts of products on the tiles of Intel AMX. Included inside a namespace of its own instruction set.

constexpr int64_t kTile = 16;  // rows of a tile, each of 64 bytes, and columns of a tile of sums

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Tiles exist for the calling thread between construction and destruction.
struct Tiles {
  Tiles() {
    const TileConfig config;
    // GCC thinks that loading a configuration reads 8 bytes of it, and may leave out the others.
    asm volatile("" : : "r"(&config) : "memory");
    _tile_loadconfig(&config);
  }
  ~Tiles() { _tile_release(); }
};

// The first `count` of 16 lanes.
inline __mmask16 first_lanes(int64_t count) {
  return count >= kTile ? 0xFFFF : count <= 0 ? 0 : static_cast<__mmask16>((1u << count) - 1);
}

// 16 columns of two rows of bfloat16 as pairs; `odd` is null behind the last row.
inline __m512i pairs_of(const Bf16* even, const Bf16* odd, __mmask16 columns) {
  const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(columns, even));
  if (odd == nullptr) return low;
  const __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(columns, odd));
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

// 128 bits from each of four places `stride` elements apart. Inserting them from memory leaves the port that shuffles
// free.
inline __m512i four_pieces(const Bf16* from, int64_t stride) {
  const auto piece = [&](int64_t i) {
    return _mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(from + i * stride)));
  };
  __m512i out = _mm512_castsi128_si512(piece(0));
  out = _mm512_inserti32x4(out, piece(1), 1);
  out = _mm512_inserti32x4(out, piece(2), 2);
  return _mm512_inserti32x4(out, piece(3), 3);
}

// A tile of A = X': 16 columns of X, each with 32 rows of depth.
inline void transpose_columns(const Bf16* from, int64_t stride, Bf16* to) {
  for (int64_t c = 0; c < kTile; c += 8) {
    __m512i x[8], y[8];
    for (int64_t k = 0; k < 8; ++k) x[k] = four_pieces(from + k * stride + c, 8 * stride);
    for (int64_t i = 0; i < 8; i += 2) {
      y[i] = _mm512_unpacklo_epi16(x[i], x[i + 1]);
      y[i + 1] = _mm512_unpackhi_epi16(x[i], x[i + 1]);
    }
    for (int64_t i = 0; i < 8; i += 4) {
      for (int64_t half = 0; half < 2; ++half) {
        x[i + 2 * half] = _mm512_unpacklo_epi32(y[i + half], y[i + 2 + half]);
        x[i + 2 * half + 1] = _mm512_unpackhi_epi32(y[i + half], y[i + 2 + half]);
      }
    }
    for (int64_t i = 0; i < 4; ++i, to += 2 * 32) {
      _mm512_storeu_si512(to, _mm512_unpacklo_epi64(x[i], x[i + 4]));
      _mm512_storeu_si512(to + 32, _mm512_unpackhi_epi64(x[i], x[i + 4]));
    }
  }
}

// A tile of B = X': 16 pairs of depth of 16 rows of X.
inline void transpose_rows(const Bf16* from, int64_t stride, Bf16* to) {
  for (int64_t k = 0; k < 32; k += 8) {
    __m512i x[4], y[4];
    for (int64_t i = 0; i < 4; ++i) x[i] = four_pieces(from + i * stride + k, 4 * stride);
    for (int64_t i = 0; i < 4; i += 2) {
      y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
      y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    }
    for (int64_t i = 0; i < 2; ++i, to += 2 * 32) {
      _mm512_storeu_si512(to, _mm512_unpacklo_epi64(y[i], y[i + 2]));
      _mm512_storeu_si512(to + 32, _mm512_unpackhi_epi64(y[i], y[i + 2]));
    }
  }
}
