// Products in float32 on the bfloat16 tiles of Intel AMX. A float's 24 bits are the sum of three bfloat16 numbers of 8
// bits each, its parts; of the nine products of two floats' parts, six reach the first 24 bits of the sum, and the
// tiles add them up in float32. Compiled with its own flags, and without any header whose inline functions the linker
// could keep in place of those for every processor.
#include <immintrin.h>

#include "ops/cpu/products.h"

namespace st::kernels {

namespace {

#include "ops/cpu/amx_tiles.inl"
#include "ops/cpu/transpose.inl"

constexpr int64_t kStep = 32;                 // depth of a tile: 16 pairs
constexpr int64_t kWide = 2 * kTile;          // rows and columns of a block of four tiles of sums
constexpr int64_t kPart = 2 * kTile * kStep;  // of a step: elements of one part of 32 rows or columns, two tiles
constexpr int64_t kStepElements = 3 * kPart;  // the parts, the largest first
constexpr int64_t kDepth = 384;               // of a block
constexpr int64_t kRows = 128;                // whose parts are made at a time
using Element = uint16_t;

int64_t steps(int64_t depth) {
  return (depth + kStep - 1) / kStep;
}

// A float's parts, each in the upper half of its lane. The third part holds the remainder of the first two, which are
// rounded. For numbers so small that it does not fit, the third part is cut. Tiles take numbers below 2^-126 for 0.
struct Parts {
  explicit Parts(__m512 x) {
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000));
    for (int i = 0; i < 2; ++i) {
      const __m512i rounded = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
      part[i] = _mm512_and_si512(rounded, upper);
      x = _mm512_sub_ps(x, _mm512_castsi512_ps(part[i]));
    }
    part[2] = _mm512_and_si512(_mm512_castps_si512(x), upper);
  }
  __m512i part[3];
};

// Depth 2i and 2i + 1 of 16 rows or columns, one a lane, as row i of the three parts of a tile of pairs.
inline void store_pairs(__m512 even, __m512 odd, Element* to) {
  const Parts low(even), high(odd);
  for (int i = 0; i < 3; ++i) {
    const __m512i pairs = _mm512_or_si512(_mm512_srli_epi32(low.part[i], 16), high.part[i]);
    _mm512_storeu_si512(to + i * kPart, pairs);
  }
}

// 32 values, one after the other in depth, as a row of the three parts.
inline void store_row(__m512 first, __m512 second, Element* to) {
  const __m512i upper_halves = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29,
                                                27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  const Parts low(first), high(second);
  for (int i = 0; i < 3; ++i) {
    _mm512_storeu_si512(to + i * kPart, _mm512_permutex2var_epi16(low.part[i], upper_halves, high.part[i]));
  }
}

// Sums of [32, 32] (+)= A B: both as steps of three parts of two tiles.
inline void block(int64_t count, const Element* a, const Element* b, float* out, int64_t out_stride, bool accumulate) {
  const int64_t bytes = out_stride * static_cast<int64_t>(sizeof(float));
  // GCC thinks that loading a tile reads no memory. This keeps earlier stores before it.
  asm volatile("" ::: "memory");
  if (accumulate) {
    _tile_loadd(0, out, bytes);
    _tile_loadd(1, out + kTile, bytes);
    _tile_loadd(2, out + kTile * out_stride, bytes);
    _tile_loadd(3, out + kTile * out_stride + kTile, bytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
#define ST_LOAD_A(part)                   \
  _tile_loadd(4, a + (part) * kPart, 64); \
  _tile_loadd(5, a + (part) * kPart + kPart / 2, 64)
#define ST_LOAD_B(part)                   \
  _tile_loadd(6, b + (part) * kPart, 64); \
  _tile_loadd(7, b + (part) * kPart + kPart / 2, 64)
#define ST_MULTIPLY()      \
  _tile_dpbf16ps(0, 4, 6); \
  _tile_dpbf16ps(1, 4, 7); \
  _tile_dpbf16ps(2, 5, 6); \
  _tile_dpbf16ps(3, 5, 7)
  for (int64_t step = 0; step < count; ++step) {
    ST_LOAD_A(2);
    ST_LOAD_B(0);
    ST_MULTIPLY();
    ST_LOAD_A(1);
    ST_MULTIPLY();
    ST_LOAD_B(1);
    ST_MULTIPLY();
    ST_LOAD_A(0);
    ST_MULTIPLY();
    ST_LOAD_B(2);
    ST_MULTIPLY();
    ST_LOAD_B(0);
    ST_MULTIPLY();
    a += kStepElements;
    b += kStepElements;
  }
#undef ST_LOAD_A
#undef ST_LOAD_B
#undef ST_MULTIPLY
  _tile_stored(0, out, bytes);
  _tile_stored(1, out + kTile, bytes);
  _tile_stored(2, out + kTile * out_stride, bytes);
  _tile_stored(3, out + kTile * out_stride + kTile, bytes);
}

// block() for rows x columns that may end within a block.
inline void any_block(int64_t rows, int64_t columns, int64_t count, const Element* a, const Element* b, float* out,
                      int64_t out_stride, bool accumulate) {
  if (rows >= kWide && columns >= kWide) return block(count, a, b, out, out_stride, accumulate);
  alignas(64) float copy[kWide * kWide] = {};
  const int64_t height = rows < kWide ? rows : kWide, width = columns < kWide ? columns : kWide;
  if (accumulate)
    for (int64_t r = 0; r < height; ++r)
      for (int64_t n = 0; n < width; ++n) copy[r * kWide + n] = out[r * out_stride + n];
  block(count, a, b, copy, kWide, accumulate);
  for (int64_t r = 0; r < height; ++r)
    for (int64_t n = 0; n < width; ++n) out[r * out_stride + n] = copy[r * kWide + n];
}

// Rows by columns: A as strips of 32 rows, `a_steps` steps each, B as panels of `b_steps`; both begin at this block's
// depth of `count` steps.
void any_blocks(int64_t rows, int64_t columns, int64_t count, const Element* a, int64_t a_steps, const Element* b,
                int64_t b_steps, float* out, int64_t out_stride, bool accumulate) {
  for (int64_t n = 0; n < columns; n += kWide) {
    const Element* panel = b + n / kWide * b_steps * kStepElements;
    for (int64_t r = 0; r < rows; r += kWide) {
      any_block(rows - r, columns - n, count, a + r / kWide * a_steps * kStepElements, panel, out + r * out_stride + n,
                out_stride, accumulate);
    }
  }
}

// Sizes count floats, like the interface. Two elements take the place of one float.
int64_t panel_size(int64_t depth) {
  return steps(depth) * kStepElements / 2;
}

Element* elements(float* memory) {
  return static_cast<Element*>(static_cast<void*>(memory));
}
const Element* elements(const float* memory) {
  return static_cast<const Element*>(static_cast<const void*>(memory));
}

// Pairs of depth of 16 rows or columns that lie side by side.
void pack_pairs(const float* from, int64_t k_stride, int64_t depth, __mmask16 lanes, Element* to) {
  for (int64_t i = 0; i < kTile; ++i) {
    const float* even = from + 2 * i * k_stride;
    store_pairs(2 * i < depth ? _mm512_maskz_loadu_ps(lanes, even) : _mm512_setzero_ps(),
                2 * i + 1 < depth ? _mm512_maskz_loadu_ps(lanes, even + k_stride) : _mm512_setzero_ps(),
                to + i * kStep);
  }
}

// Sixteen vectors of up to 16 values, transposed.
inline void load_transposed(const float* from, int64_t stride, int64_t count, __mmask16 lanes, __m512i rows[kTile]) {
  for (int64_t i = 0; i < kTile; ++i) {
    rows[i] = i < count ? _mm512_maskz_loadu_epi32(lanes, from + i * stride) : _mm512_setzero_si512();
  }
  transpose(rows);
}

void pack_panel(const float* from, int64_t k_stride, int64_t n_stride, int64_t depth, int64_t columns, float* memory) {
  Element* to = elements(memory);
  for (int64_t k = 0; k < depth; k += kStep, to += kStepElements) {
    for (int64_t half = 0; half < 2; ++half) {
      Element* tile = to + half * kPart / 2;
      const float* here = from + k * k_stride + half * kTile * n_stride;
      const int64_t width = columns - half * kTile, left = depth - k;
      if (n_stride == 1) {
        pack_pairs(here, k_stride, left, first_lanes(width), tile);
        continue;
      }
      for (int64_t part = 0; part < 2; ++part) {
        __m512i rows[kTile];
        load_transposed(here + part * kTile, n_stride, width, first_lanes(left - part * kTile), rows);
        for (int64_t i = 0; i < kTile / 2; ++i) {
          store_pairs(_mm512_castsi512_ps(rows[2 * i]), _mm512_castsi512_ps(rows[2 * i + 1]),
                      tile + (part * kTile / 2 + i) * kStep);
        }
      }
    }
  }
}

// A strip of 32 rows of A as they lie.
void split_rows(const float* a, int64_t a_stride, int64_t rows, int64_t depth, Element* to) {
  for (int64_t k = 0; k < depth; k += kStep, to += kStepElements) {
    const __mmask16 first = first_lanes(depth - k), second = first_lanes(depth - k - kTile);
    for (int64_t r = 0; r < kWide; ++r) {
      const float* row = a + r * a_stride + k;
      store_row(r < rows ? _mm512_maskz_loadu_ps(first, row) : _mm512_setzero_ps(),
                r < rows ? _mm512_maskz_loadu_ps(second, row + kTile) : _mm512_setzero_ps(), to + r * kStep);
    }
  }
}

void multiply(const float* a, int64_t a_stride, int64_t rows, const float* panels, int64_t depth, int64_t columns,
              float* out, int64_t out_stride) {
  const Tiles tiles;
  alignas(64) Element parts[kRows * kDepth * 3];
  for (int64_t r = 0; r < rows; r += kRows) {
    const int64_t height = rows - r < kRows ? rows - r : kRows;
    for (int64_t k = 0; k < depth; k += kDepth) {
      const int64_t deep = depth - k < kDepth ? depth - k : kDepth;
      for (int64_t i = 0; i < height; i += kWide) {
        split_rows(a + (r + i) * a_stride + k, a_stride, height - i, deep,
                   parts + i / kWide * steps(deep) * kStepElements);
      }
      any_blocks(height, columns, steps(deep), parts, steps(deep), elements(panels) + k / kStep * kStepElements,
                 steps(depth), out + r * out_stride, out_stride, k > 0);
    }
  }
}

// 32 rows of A', which lies as [depth, rows].
void pack_strip(const float* from, int64_t k_stride, int64_t depth, int64_t rows, float* memory) {
  Element* to = elements(memory);
  for (int64_t k = 0; k < depth; k += kStep, to += kStepElements) {
    for (int64_t half = 0; half < 2; ++half) {
      __m512i first[kTile], second[kTile];
      const float* here = from + k * k_stride + half * kTile;
      const __mmask16 lanes = first_lanes(rows - half * kTile);
      load_transposed(here, k_stride, depth - k, lanes, first);
      load_transposed(here + kTile * k_stride, k_stride, depth - k - kTile, lanes, second);
      for (int64_t r = 0; r < kTile; ++r) {
        store_row(_mm512_castsi512_ps(first[r]), _mm512_castsi512_ps(second[r]), to + (half * kTile + r) * kStep);
      }
    }
  }
}

void multiply_strips(const float* strips, int64_t rows, const float* panels, int64_t depth, int64_t columns, float* out,
                     int64_t out_stride) {
  const Tiles tiles;
  const int64_t all = steps(depth);
  for (int64_t step = 0; step < all; step += kDepth / kStep) {
    const int64_t count = all - step < kDepth / kStep ? all - step : kDepth / kStep;
    any_blocks(rows, columns, count, elements(strips) + step * kStepElements, all,
               elements(panels) + step * kStepElements, all, out, out_stride, true);
  }
}

}  // namespace

extern const Products<float> products_amx_float;
const Products<float> products_amx_float = {.block_rows = kRows,
                                            .panel = kWide,
                                            .panel_size = panel_size,
                                            .pack_panel = pack_panel,
                                            .multiply = multiply,
                                            .depth_step = 1,
                                            .strip = kWide,
                                            .strip_size = panel_size,
                                            .pack_strip = pack_strip,
                                            .multiply_strips = multiply_strips};

}  // namespace st::kernels
