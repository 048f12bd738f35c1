#pragma once

#include <cstdint>

#include "ops/cpu/kernels.h"

// Matrix products of one thread, on operands that were packed for the registers of one instruction set. The driver that
// shares a product among threads is ops/product.cpp. S: storage type of the operands; sums are float.
namespace st::kernels {

template <typename S>
struct Products {
  // Rows of A that a thread multiplies at a time, so that what comes out is still in its cache when the next work on
  // these rows begins.
  int64_t block_rows;
  // B [depth, columns] is packed in panels of `panel` columns, one after the other, each `panel_size(depth)` elements.
  int64_t panel;
  int64_t (*panel_size)(int64_t depth);
  // Packs `columns` <= panel columns of B, whose element (k, n) is from[k * k_stride + n * n_stride]; one of the
  // strides is 1. What is missing to a whole panel becomes 0.
  void (*pack_panel)(const S* from, int64_t k_stride, int64_t n_stride, int64_t depth, int64_t columns, S* to);
  // out[rows, columns] = A[rows, depth] B. A is read as it lies; depth must be a multiple of `depth_step`.
  void (*multiply)(const S* a, int64_t a_stride, int64_t rows, const S* panels, int64_t depth, int64_t columns,
                   float* out, int64_t out_stride);
  int64_t depth_step;
  // Threads share the rows of both kinds of product by strips of so many.
  int64_t strip;

  // out[rows, columns] += A' B, where A lies as [depth, rows] and B as [depth, columns]. Either add_transposed does it
  // all, with room for transposed_scratch(depth) elements:
  int64_t (*transposed_scratch)(int64_t depth) = nullptr;
  void (*add_transposed)(const S* a, int64_t a_stride, int64_t rows, const S* b, int64_t b_stride, int64_t depth,
                         int64_t columns, float* out, int64_t out_stride, S* scratch) = nullptr;
  // or it is null, and multiply_strips does it with packed strips, each `strip_size(depth)` elements, and panels: where
  // packing takes so long that threads had better share it.
  int64_t (*strip_size)(int64_t depth) = nullptr;
  void (*pack_strip)(const S* from, int64_t k_stride, int64_t depth, int64_t rows, S* to) = nullptr;
  void (*multiply_strips)(const S* strips, int64_t rows, const S* panels, int64_t depth, int64_t columns, float* out,
                          int64_t out_stride) = nullptr;
};

// Null where the chosen instruction set has none: then ATen multiplies.
template <typename S>
const Products<S>* products();
// Of floats as sums of parts on tiles: faster for many rows, and no less exact. Null where there are no tiles.
const Products<float>* split_products();

// Products of float rows by weights of 8 bits, for encoding. A weight matrix is quantised once, each column with a
// scale of its own (the largest of its values is 127); a row of A on the fly, its lowest value 0 and its highest 255.
// The sums of what was rounded are exact; the results are float.
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

// Null where the processor has no AVX512-VNNI or a lower path was asked for.
const Int8Products* int8_products();

}  // namespace st::kernels
