// Products of float rows by weights of 8 bits with AVX512-VNNI. Compiled with its own flags, and without any header
// whose inline functions the linker could keep in place of those for every processor.
#include <immintrin.h>

#include "ops/cpu/products.h"

namespace st::kernels {

namespace {

constexpr int kRows = 8, kVectors = 3;
constexpr int64_t kLanes = 16, kPanel = kVectors * kLanes;
constexpr int64_t kQuad = 4;  // values of depth that one instruction adds up

int64_t quads(int64_t depth) {
  return (depth + kQuad - 1) / kQuad;
}

// A panel: the scale of each column, the sum of each column (in real numbers), then [quads, 48, 4] of int8.
struct Panel {
  const float* scale;
  const float* sum;
  const uint8_t* values;
};

int64_t panel_size(int64_t depth) {
  return (2 * static_cast<int64_t>(sizeof(float)) + quads(depth) * kQuad) * kPanel;
}

Panel panel_at(const uint8_t* at) {
  const float* head = static_cast<const float*>(static_cast<const void*>(at));
  return {head, head + kPanel, at + 2 * sizeof(float) * kPanel};
}

void pack_panel(const float* from, int64_t n_stride, int64_t depth, int64_t columns, uint8_t* to) {
  __builtin_memset(to, 0, static_cast<size_t>(panel_size(depth)));
  float* head = static_cast<float*>(static_cast<void*>(to));
  int8_t* values = reinterpret_cast<int8_t*>(to + 2 * sizeof(float) * kPanel);
  for (int64_t n = 0; n < columns; ++n) {
    const float* column = from + n * n_stride;
    float highest = 0;
    for (int64_t k = 0; k < depth; ++k) {
      const float size = __builtin_fabsf(column[k]);
      highest = size > highest ? size : highest;
    }
    if (highest == 0) continue;
    const float scale = highest / 127;
    int32_t sum = 0;
    for (int64_t k = 0; k < depth; ++k) {
      const float q = column[k] / scale;
      const int32_t value = static_cast<int32_t>(q < 0 ? q - 0.5f : q + 0.5f);
      values[(k / kQuad * kPanel + n) * kQuad + k % kQuad] = static_cast<int8_t>(value);
      sum += value;
    }
    head[n] = scale;
    head[kPanel + n] = scale * static_cast<float>(sum);
  }
}

// x ~ low + step * q with q from 0 to 255.
struct Scale {
  float step, low;
};

Scale quantize_row(const float* x, int64_t depth, uint8_t* to) {
  __m512 lowest = _mm512_set1_ps(x[0]), highest = lowest;
  for (int64_t k = 0; k < depth; k += kLanes) {
    const __mmask16 lanes = depth - k >= kLanes ? 0xFFFF : static_cast<__mmask16>((1u << (depth - k)) - 1);
    const __m512 v = _mm512_maskz_loadu_ps(lanes, x + k);
    lowest = _mm512_mask_min_ps(lowest, lanes, lowest, v);
    highest = _mm512_mask_max_ps(highest, lanes, highest, v);
  }
  const float low = _mm512_reduce_min_ps(lowest), range = _mm512_reduce_max_ps(highest) - low;
  const float step = range > 0 ? range / 255 : 1;
  const __m512 base = _mm512_set1_ps(low), inverse = _mm512_set1_ps(1 / step);
  for (int64_t k = 0; k < depth; k += kLanes) {
    const __mmask16 lanes = depth - k >= kLanes ? 0xFFFF : static_cast<__mmask16>((1u << (depth - k)) - 1);
    const __m512 q = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + k), base), inverse);
    _mm_mask_storeu_epi8(to + k, lanes, _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(q)));
  }
  return {step, low};
}

// out[R, columns <= 48] for one panel, from quantised rows that are `stride` bytes apart. Prefetches `next`, the
// following panel, into the second cache.
template <int R>
void block(int64_t count, const uint8_t* a, int64_t stride, const Scale* scales, const Panel& panel,
           const uint8_t* next, int64_t columns, float* out, int64_t out_stride) {
  __m512i sum[R][kVectors];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_setzero_si512();
  const uint8_t* values = panel.values;
#pragma GCC unroll 4
  for (int64_t k = 0; k < count; ++k) {
    _mm_prefetch(next + k * kLanes * kQuad, _MM_HINT_T1);
    __m512i row[kVectors];
    for (int v = 0; v < kVectors; ++v) row[v] = _mm512_loadu_si512(values + (k * kPanel + v * kLanes) * kQuad);
    for (int r = 0; r < R; ++r) {
      int32_t four;
      __builtin_memcpy(&four, a + r * stride + k * kQuad, kQuad);
      const __m512i x = _mm512_set1_epi32(four);
      for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_dpbusd_epi32(sum[r][v], x, row[v]);
    }
  }
  for (int v = 0; v < kVectors && v * kLanes < columns; ++v) {
    const int64_t left = columns - v * kLanes;
    const __mmask16 lanes = left >= kLanes ? 0xFFFF : static_cast<__mmask16>((1u << left) - 1);
    const __m512 scale = _mm512_loadu_ps(panel.scale + v * kLanes), total = _mm512_loadu_ps(panel.sum + v * kLanes);
    for (int r = 0; r < R; ++r) {
      const __m512 exact = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r][v]), scale);
      const __m512 y =
          _mm512_fmadd_ps(exact, _mm512_set1_ps(scales[r].step), _mm512_mul_ps(total, _mm512_set1_ps(scales[r].low)));
      _mm512_mask_storeu_ps(out + r * out_stride + v * kLanes, lanes, y);
    }
  }
}

template <int R>
inline void any_rows(int64_t rows, int64_t count, const uint8_t* a, int64_t stride, const Scale* scales,
                     const Panel& panel, const uint8_t* next, int64_t columns, float* out, int64_t out_stride) {
  if constexpr (R > 0) {
    if (rows == R) return block<R>(count, a, stride, scales, panel, next, columns, out, out_stride);
    any_rows<R - 1>(rows, count, a, stride, scales, panel, next, columns, out, out_stride);
  }
}

int64_t scratch_size(int64_t rows, int64_t depth) {
  return rows * (quads(depth) * kQuad + static_cast<int64_t>(sizeof(Scale)));
}

void multiply(const float* a, int64_t a_stride, int64_t rows, const uint8_t* panels, int64_t depth, int64_t columns,
              float* out, int64_t out_stride, uint8_t* scratch) {
  const int64_t count = quads(depth), stride = count * kQuad, size = panel_size(depth);
  Scale* scales = static_cast<Scale*>(static_cast<void*>(scratch));
  uint8_t* quantized = scratch + rows * static_cast<int64_t>(sizeof(Scale));
  for (int64_t r = 0; r < rows; ++r) scales[r] = quantize_row(a + r * a_stride, depth, quantized + r * stride);
  for (int64_t n = 0; n < columns; n += kPanel, panels += size) {
    const Panel panel = panel_at(panels);
    const int64_t width = columns - n < kPanel ? columns - n : kPanel;
    const uint8_t* after = n + kPanel < columns ? panels + size : panels;
    for (int64_t r = 0; r < rows; r += kRows) {
      // Each strip prefetches a third of the next panel.
      const uint8_t* next = after + (r / kRows < kVectors ? r / kRows : 0) * count * kLanes * kQuad;
      any_rows<kRows>(rows - r < kRows ? rows - r : kRows, count, quantized + r * stride, stride, scales + r, panel,
                      next, width, out + r * out_stride + n, out_stride);
    }
  }
}

}  // namespace

extern const Int8Products int8_products_vnni;
const Int8Products int8_products_vnni = {96, kPanel, panel_size, pack_panel, scratch_size, multiply};

}  // namespace st::kernels
