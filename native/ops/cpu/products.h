#pragma once

#include <cstdint>

#include "ops/cpu/kernels.h"

// Matrix products of one thread, on operands that were packed for the registers of one instruction set.
// ops/product.cpp distributes a product over threads. S: storage type of the operands. Sums are float.
namespace st::kernels {

template <typename S>
struct Products {
  // Rows of A that a thread multiplies at once, few enough for the result to be in its cache when the next work on
  // these rows begins.
  int64_t block_rows;
  // B [depth, columns] is packed into consecutive panels of `panel` columns, each of `panel_size(depth)` elements.
  int64_t panel;
  int64_t (*panel_size)(int64_t depth);
  // Packs `columns` <= panel columns of B, whose element (k, n) is from[k * k_stride + n * n_stride]. One of the
  // strides is 1. A panel is filled up with 0.
  void (*pack_panel)(const S* from, int64_t k_stride, int64_t n_stride, int64_t depth, int64_t columns, S* to);
  // out[rows, columns] = A[rows, depth] B. A is read unpacked. depth must be a multiple of `depth_step`.
  void (*multiply)(const S* a, int64_t a_stride, int64_t rows, const S* panels, int64_t depth, int64_t columns,
                   float* out, int64_t out_stride);
  // The same for few rows and a matrix that lies unpacked as [columns, depth]; null: there is none.
  void (*multiply_few)(const S* a, int64_t a_stride, int64_t rows, const S* matrix, int64_t depth, int64_t columns,
                       float* out, int64_t out_stride) = nullptr;
  // multiply() that adds to out. Of products<float>() alone.
  void (*multiply_add)(const S* a, int64_t a_stride, int64_t rows, const S* panels, int64_t depth, int64_t columns,
                       float* out, int64_t out_stride) = nullptr;
  // out[rows, columns] += A B, where A's element (r, k) is a[r * row_stride + k * k_stride], and B's lie likewise, with
  // 1 as one stride. Neither is packed before: for products with a narrow side. Of products<float>() alone.
  void (*add_product)(const S* a, int64_t row_stride, int64_t k_stride, int64_t rows, const S* b, int64_t b_k_stride,
                      int64_t b_n_stride, int64_t depth, int64_t columns, float* out, int64_t out_stride) = nullptr;
  int64_t depth_step;
  // Threads share the rows of both kinds of product in strips of this many rows.
  int64_t strip;

  // out[rows, columns] += A' B, where A lies as [depth, rows] and B as [depth, columns]. Either add_transposed does it
  // all, with room for transposed_scratch(depth) elements:
  int64_t (*transposed_scratch)(int64_t depth) = nullptr;
  void (*add_transposed)(const S* a, int64_t a_stride, int64_t rows, const S* b, int64_t b_stride, int64_t depth,
                         int64_t columns, float* out, int64_t out_stride, S* scratch) = nullptr;
  // or it is null, and multiply_strips does it with packed strips, each `strip_size(depth)` elements, and panels.
  // Threads share the packing where it takes long.
  int64_t (*strip_size)(int64_t depth) = nullptr;
  void (*pack_strip)(const S* from, int64_t k_stride, int64_t depth, int64_t rows, S* to) = nullptr;
  void (*multiply_strips)(const S* strips, int64_t rows, const S* panels, int64_t depth, int64_t columns, float* out,
                          int64_t out_stride) = nullptr;
};

// Null where the chosen instruction set has none. Then ATen multiplies.
template <typename S>
const Products<S>* products();
// In bfloat16 by the instruction that multiplies pairs (AVX512-BF16). Some processors run it no faster than products in
// float: see product::faster_pairs(). Null without it.
const Products<Bf16>* pair_products();
// For floats as sums of parts on tiles: faster for many rows, and not less exact. Null without tiles.
const Products<float>* split_products();

// Products of float rows with 8-bit weights, for encoding. A weight matrix is quantised once, with a scale for each
// column (its largest value is 127). A row of A is quantised at run time, with 0 for its lowest value and 255 for its
// highest. Sums of the rounded numbers are exact. The results are float.
struct Int8Products {
  int64_t block_rows;  // as those of Products
  int64_t panel;
  int64_t (*panel_size)(int64_t depth);  // bytes
  // Quantises and packs `columns` <= panel columns, whose element (k, n) is from[k + n * n_stride].
  void (*pack_panel)(const float* from, int64_t n_stride, int64_t depth, int64_t columns, uint8_t* to);
  int64_t (*scratch_size)(int64_t rows, int64_t depth);  // bytes that multiply() needs
  void (*multiply)(const float* a, int64_t a_stride, int64_t rows, const uint8_t* panels, int64_t depth,
                   int64_t columns, float* out, int64_t out_stride, uint8_t* scratch);
};

// Null where the processor has no AVX512-VNNI or a lower instruction set was requested.
const Int8Products* int8_products();

}  // namespace st::kernels
