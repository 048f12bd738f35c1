// Matrix products in bfloat16 on the tiles of Intel AMX: 16 rows of 64 bytes each. Compiled with its own flags, and
// without any header whose inline functions the linker could keep in place of those for every processor.
#include <immintrin.h>

#include "ops/cpu/products.h"

namespace st::kernels {

namespace {

#include "ops/cpu/amx_tiles.inl"
#include "ops/cpu/transpose.inl"

constexpr int64_t kPairs = 32;          // depth of a tile: 16 pairs
constexpr int64_t kWide = 2 * kTile;    // rows and columns of a block of four tiles of sums
constexpr int64_t kTileElements = 512;  // bfloat16 elements of a tile
constexpr int64_t kDepth = 384;         // of a block: its panel of B stays in the first cache

int64_t whole(int64_t depth) {
  return (depth + kPairs - 1) / kPairs * kPairs;
}

// Lines of 64 bytes, of the 32 in each step, of the next panel. A block prefetches them into the second cache.
struct Ahead {
  const Bf16* panel;
  int first_line, last_line;
};

// Sums of [16 * kRowTiles, 32] (+)= A B. A's tiles are `a_tile` elements apart in depth and `a_second` in rows, with
// rows `a_stride` bytes apart; B's two tiles of a step lie one after the other.
template <int kRowTiles>
inline void block(int64_t depth, const Bf16* a, int64_t a_stride, int64_t a_tile, int64_t a_second, const Bf16* panel,
                  const Ahead& ahead, float* out, int64_t out_stride, bool accumulate) {
  const int64_t bytes = out_stride * static_cast<int64_t>(sizeof(float));
  // GCC thinks that loading a tile reads no memory. This keeps earlier stores before it.
  asm volatile("" ::: "memory");
  if (accumulate) {
    _tile_loadd(0, out, bytes);
    _tile_loadd(1, out + kTile, bytes);
    if constexpr (kRowTiles == 2) {
      _tile_loadd(2, out + kTile * out_stride, bytes);
      _tile_loadd(3, out + kTile * out_stride + kTile, bytes);
    }
  } else {
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (kRowTiles == 2) {
      _tile_zero(2);
      _tile_zero(3);
    }
  }
  for (int64_t k = 0; k < depth; k += kPairs) {
    _tile_loadd(6, panel, 64);
    _tile_loadd(7, panel + kTileElements, 64);
    _tile_loadd(4, a, a_stride);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    if constexpr (kRowTiles == 2) {
      _tile_loadd(5, a + a_second, a_stride);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    const char* lines = reinterpret_cast<const char*>(ahead.panel + k / kPairs * 2 * kTileElements);
    for (int line = ahead.first_line; line < ahead.last_line; ++line) _mm_prefetch(lines + line * 64, _MM_HINT_T1);
    panel += 2 * kTileElements;
    a += a_tile;
  }
  _tile_stored(0, out, bytes);
  _tile_stored(1, out + kTile, bytes);
  if constexpr (kRowTiles == 2) {
    _tile_stored(2, out + kTile * out_stride, bytes);
    _tile_stored(3, out + kTile * out_stride + kTile, bytes);
  }
}

// block() for rows x columns that may end within a tile.
inline void any_block(int64_t rows, int64_t columns, int64_t depth, const Bf16* a, int64_t a_stride, int64_t a_tile,
                      int64_t a_second, const Bf16* panel, const Ahead& ahead, float* out, int64_t out_stride,
                      bool accumulate) {
  if (rows == kWide && columns >= kWide) {
    return block<2>(depth, a, a_stride, a_tile, a_second, panel, ahead, out, out_stride, accumulate);
  }
  alignas(64) float copy[kWide * kWide];
  const int64_t width = columns < kWide ? columns : kWide;
  if (accumulate)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t n = 0; n < width; ++n) copy[r * kWide + n] = out[r * out_stride + n];
  if (rows <= kTile) {
    block<1>(depth, a, a_stride, a_tile, a_second, panel, ahead, copy, kWide, accumulate);
  } else {
    block<2>(depth, a, a_stride, a_tile, a_second, panel, ahead, copy, kWide, accumulate);
  }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t n = 0; n < width; ++n) out[r * out_stride + n] = copy[r * kWide + n];
}

int64_t panel_size(int64_t depth) {
  return whole(depth) * kWide;
}

// Sixteen pairs of depth of one column at a time, from 16 columns.
inline void transposed_tile(const Bf16* from, int64_t n_stride, int64_t depth, __mmask16 columns, Bf16* to) {
  __m512i rows[kTile];
  const __mmask32 within = depth >= kPairs ? ~__mmask32{0} : (__mmask32{1} << depth) - 1;
  for (int64_t n = 0; n < kTile; ++n) {
    rows[n] = columns >> n & 1 ? _mm512_maskz_loadu_epi16(within, from + n * n_stride) : _mm512_setzero_si512();
  }
  transpose(rows);
  for (int64_t i = 0; i < kTile; ++i) _mm512_storeu_si512(to + i * kPairs, rows[i]);
}

// Tile (k / 32, half) of a panel holds 16 rows of pairs of depth by 16 columns.
void pack_panel(const Bf16* from, int64_t k_stride, int64_t n_stride, int64_t depth, int64_t columns, Bf16* to) {
  for (int64_t k = 0; k < whole(depth); k += kPairs) {
    for (int64_t half = 0; half < 2; ++half, to += kTileElements) {
      const __mmask16 lanes = first_lanes(columns - half * kTile);
      const Bf16* tile = from + k * k_stride + half * kTile * n_stride;
      if (n_stride != 1 && lanes == 0xFFFF && k + kPairs <= depth) {
        transpose_rows(tile, n_stride, to);
        continue;
      }
      if (n_stride != 1) {
        transposed_tile(tile, n_stride, depth - k, lanes, to);
        continue;
      }
      for (int64_t i = 0; i < kTile; ++i) {
        const int64_t left = depth - k - 2 * i;
        const Bf16* even = tile + 2 * i * k_stride;
        const __m512i pairs =
            left > 0 ? pairs_of(even, left > 1 ? even + k_stride : nullptr, lanes) : _mm512_setzero_si512();
        _mm512_storeu_si512(to + i * kPairs, pairs);
      }
    }
  }
}

void multiply(const Bf16* a, int64_t a_stride, int64_t rows, const Bf16* panels, int64_t depth, int64_t columns,
              float* out, int64_t out_stride) {
  const Tiles tiles;
  alignas(64) Bf16 copy[kWide * kDepth];
  const int64_t whole_rows = rows / kWide * kWide;
  for (int64_t k = 0; k < depth; k += kDepth) {
    const int64_t count = depth - k < kDepth ? depth - k : kDepth;
    for (int64_t n = 0; n < columns; n += kWide) {
      const Bf16* panel = panels + n * depth + k * kWide;
      for (int64_t r = 0; r < whole_rows; r += kWide) {
        const Bf16* here = a + r * a_stride + k;
        const Ahead ahead = {n + kWide < columns ? panel + depth * kWide : panel,
                             static_cast<int>(r * kWide / whole_rows),
                             static_cast<int>((r + kWide) * kWide / whole_rows)};
        any_block(kWide, columns - n, count, here, a_stride * 2, kPairs, kTile * a_stride, panel, ahead,
                  out + r * out_stride + n, out_stride, k > 0);
      }
    }
    if (rows == whole_rows) continue;
    // The last tiles use a copy of their rows, so that nothing is read beyond the end.
    for (int64_t r = whole_rows; r < rows; ++r)
      __builtin_memcpy(copy + (r - whole_rows) * count, a + r * a_stride + k, static_cast<size_t>(count) * 2);
    for (int64_t n = 0; n < columns; n += kWide) {
      const Bf16* panel = panels + n * depth + k * kWide;
      const Ahead ahead = {n + kWide < columns ? panel + depth * kWide : panel, 0, whole_rows == 0 ? 32 : 0};
      any_block(rows - whole_rows, columns - n, count, copy, count * 2, kPairs, kTile * count, panel, ahead,
                out + whole_rows * out_stride + n, out_stride, k > 0);
    }
  }
}

int64_t strip_size(int64_t depth) {
  return whole(depth) * kTile;
}

// A strip is tiles of 16 rows by 32 of depth.
void pack_strip(const Bf16* from, int64_t k_stride, int64_t depth, int64_t rows, Bf16* to) {
  const __mmask16 lanes = first_lanes(rows);
  for (int64_t k = 0; k < whole(depth); k += kPairs) {
    if (rows >= kTile && k + kPairs <= depth) {
      transpose_columns(from + k * k_stride, k_stride, to + k * kTile);
      continue;
    }
    __m512i pairs[kTile];
    for (int64_t i = 0; i < kTile; ++i) {
      const Bf16* even = from + (k + 2 * i) * k_stride;
      pairs[i] = k + 2 * i < depth ? pairs_of(even, k + 2 * i + 1 < depth ? even + k_stride : nullptr, lanes)
                                   : _mm512_setzero_si512();
    }
    transpose(pairs);
    for (int64_t i = 0; i < kTile; ++i) _mm512_storeu_si512(to + k * kTile + i * kPairs, pairs[i]);
  }
}

void multiply_strips(const Bf16* strips, int64_t rows, const Bf16* panels, int64_t depth, int64_t columns, float* out,
                     int64_t out_stride) {
  constexpr int64_t kCached = 1536 * kDepth;  // elements of panels that stay in the second cache
  const Tiles tiles;
  const int64_t deep = whole(depth);
  for (int64_t k = 0; k < deep; k += kDepth) {
    const int64_t count = deep - k < kDepth ? deep - k : kDepth;
    const auto multiply_block = [&](int64_t r, int64_t n, bool fetches) {
      const Bf16* panel = panels + n * deep + k * kWide;
      const Ahead ahead = {n + kWide < columns ? panel + deep * kWide : panel, static_cast<int>(r * kWide / rows),
                           fetches ? static_cast<int>((r + kWide) * kWide / rows) : 0};
      any_block(rows - r < kWide ? rows - r : kWide, columns - n, count, strips + r * deep + k * kTile, 64,
                kTileElements, kTile * deep, panel, ahead, out + r * out_stride + n, out_stride, true);
    };
    if (columns * count <= kCached) {  // sums are read and written in one piece
      for (int64_t r = 0; r < rows; r += kWide)
        for (int64_t n = 0; n < columns; n += kWide) multiply_block(r, n, false);
    } else {
      for (int64_t n = 0; n < columns; n += kWide)
        for (int64_t r = 0; r < rows; r += kWide) multiply_block(r, n, true);
    }
  }
}

}  // namespace

extern const Products<Bf16> products_amx;
const Products<Bf16> products_amx = {.block_rows = 128,
                                     .panel = kWide,
                                     .panel_size = panel_size,
                                     .pack_panel = pack_panel,
                                     .multiply = multiply,
                                     .depth_step = kPairs,
                                     .strip = kTile,
                                     .strip_size = strip_size,
                                     .pack_strip = pack_strip,
                                     .multiply_strips = multiply_strips};

}  // namespace st::kernels
