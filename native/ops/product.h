#pragma once

#include <type_traits>
#include <vector>

#include "core/parallel.h"
#include "core/workspace.h"
#include "ops/cpu/products.h"
#include "ops/cpu_call.h"

// Matrix products on the CPU, shared among the threads: by rows if there are enough, else also by columns. ops/cpu
// has the work of one thread. Sums are float.
namespace st::product {

// Whether this number of float rows is multiplied as parts on tiles.
inline bool is_split(int64_t rows) {
  constexpr int64_t kLeast = 64;  // below, reading the weights takes longest, and split they are larger
  return rows >= kLeast && kernels::split_products() != nullptr;
}

// Below, tiles are hardly filled, and sums of so few products are more exact without parts.
constexpr int64_t kLeastDepth = 64;

// kernels::pair_products() if they are no slower here than ATen's products, which is measured once; else null.
const kernels::Products<kernels::Bf16>* faster_pairs();

// The kernels for this number of rows, storage type and depth, or null: then ATen multiplies. Packed operands can be
// read only by the same kernels.
template <typename S>
const kernels::Products<S>* kernels_for(int64_t rows, int64_t depth) {
  const kernels::Products<S>* products = kernels::products<S>();
  if constexpr (std::is_same_v<S, float>) {
    if (is_split(rows) && depth >= kLeastDepth) products = kernels::split_products();
  }
  if constexpr (std::is_same_v<S, kernels::Bf16>) {
    if (products == nullptr) products = faster_pairs();
  }
  return products != nullptr && depth % products->depth_step == 0 ? products : nullptr;
}

// Whether there are kernels for x [T, depth].
bool available(const at::Tensor& x_TI);

// The products of float rows with 8-bit weights, for multiply().
struct Int8 {
  const kernels::Int8Products& kernels;
  int64_t block_rows = kernels.block_rows, panel = kernels.panel, strip = 1;
  int64_t panel_size(int64_t depth) const { return kernels.panel_size(depth); }
  void multiply(const float* a, int64_t a_stride, int64_t rows, const uint8_t* panels, int64_t depth, int64_t columns,
                float* out, int64_t out_stride) const;
};

// matrix' [columns, depth] (float) quantised to 8 bits and packed.
at::Tensor pack_int8(const at::Tensor& matrix, Workspace& workspace);

// B [depth, columns] packed for so many rows of A. B's element (k, n) is matrix[n, k] when `transposed`, else
// matrix[k, n].
at::Tensor pack(const at::Tensor& matrix, bool transposed, int64_t rows, Workspace& workspace);

// The same for products<float>(), of any matrix with strides.
at::Tensor pack_small(const at::Tensor& matrix_KN, Workspace& workspace);

// out_MN += a_TM' b_TN.
void add_transposed(const at::Tensor& a_TM, const at::Tensor& b_TN, at::Tensor out_MN, Workspace& workspace);

// out_MN += a_MK b_KN, all of one dtype, where a side is narrow (the rank of an adapter), so that packing all of a or b
// would take as long as the product. They may be views; a stride of b and that of out's columns are 1. The order of
// sums does not depend on the number of threads.
void add_narrow(const at::Tensor& a_MK, const at::Tensor& b_KN, at::Tensor out_MN);

constexpr int64_t kLeastRows = 32;  // that are worth a thread

struct Sums;  // in memory beside that of epilogues

// Parts that the epilogue of multiply() counts rows by.
inline int64_t parts(int64_t rows) {
  return parallel_parts(rows, kLeastRows);
}

// Multiplies a_TK by packed panels, and passes the sums of rows [begin, end) to epilogue(begin, end, sums) while they
// are in the thread's cache. They are `columns` apart, in `sums_TN` (from its row `begin`) or, if that is null, in
// memory that is valid during the call. prologue(begin, end) is called for the same rows before, and draws the rows of
// a into the cache if it reads them. The division of rows into parts and blocks depends only on their number and the
// number of threads.
template <typename Products, typename S, typename B, typename Prologue, typename Epilogue>
void multiply(const Products& products, const S* a_TK, int64_t rows, int64_t depth, const B* panels, int64_t columns,
              float* sums_TN, const Prologue& prologue, const Epilogue& epilogue) {
  const int64_t row_parts = parts(rows);
  const int64_t panel_count = (columns + products.panel - 1) / products.panel;
  const int64_t column_parts = std::min(panel_count, at::get_num_threads() / row_parts);
  if (column_parts == 1) {
    const int64_t strips = (rows + products.strip - 1) / products.strip;
    parallel_ranges(strips, row_parts, [&](int64_t part, int64_t first_strip, int64_t last_strip) {
      const int64_t first = first_strip * products.strip, last = std::min(rows, last_strip * products.strip);
      const int64_t blocks = (last - first + products.block_rows - 1) / products.block_rows;
      const int64_t size = ((last - first + blocks - 1) / blocks + kLeastRows - 1) / kLeastRows * kLeastRows;
      for (int64_t begin = first; begin < last; begin += size) {
        const int64_t end = std::min(last, begin + size);
        float* sums = sums_TN != nullptr ? sums_TN + begin * columns : thread_scratch<float, Sums>(size * columns);
        prologue(begin, end);
        products.multiply(a_TK + begin * depth, depth, end - begin, panels, depth, columns, sums, columns);
        epilogue(part, begin, end, sums);
      }
    });
    return;
  }
  float* sums = sums_TN != nullptr ? sums_TN : thread_scratch<float, Sums>(rows * columns);
  parallel_ranges(row_parts * column_parts, row_parts * column_parts, [&](int64_t task, int64_t, int64_t) {
    const int64_t row = task / column_parts, column = task % column_parts;
    const int64_t begin = rows * row / row_parts, end = rows * (row + 1) / row_parts;
    const int64_t first = panel_count * column / column_parts * products.panel;
    const int64_t last = std::min(columns, panel_count * (column + 1) / column_parts * products.panel);
    products.multiply(a_TK + begin * depth, depth, end - begin,
                      panels + first / products.panel * products.panel_size(depth), depth, last - first,
                      sums + begin * columns + first, columns);
  });
  parallel_ranges(rows, row_parts, [&](int64_t part, int64_t begin, int64_t end) {
    prologue(begin, end);
    epilogue(part, begin, end, sums + begin * columns);
  });
}

// The same for few rows and a matrix [columns, depth] that is not packed, of which no copy is made: there are kernels
// for it, or else each thread packs one panel at a time in its cache.
template <typename S, typename Prologue, typename Epilogue>
void multiply_unpacked(const kernels::Products<S>& products, const S* a_TK, int64_t rows, int64_t depth,
                       const S* matrix_NK, int64_t columns, float* sums_TN, const Prologue& prologue,
                       const Epilogue& epilogue) {
  struct Panel;
  const int64_t panels = (columns + products.panel - 1) / products.panel;
  float* sums = sums_TN != nullptr ? sums_TN : thread_scratch<float, Sums>(rows * columns);
  parallel_ranges(panels, parallel_parts(panels, 1), [&](int64_t, int64_t first, int64_t last) {
    const int64_t begin = first * products.panel, end = std::min(columns, last * products.panel);
    if (products.multiply_few != nullptr) {
      return products.multiply_few(a_TK, depth, rows, matrix_NK + begin * depth, depth, end - begin, sums + begin,
                                   columns);
    }
    S* packed = thread_scratch<S, Panel>(products.panel_size(depth));
    for (int64_t n = begin; n < end; n += products.panel) {
      const int64_t count = std::min(products.panel, columns - n);
      products.pack_panel(matrix_NK + n * depth, 1, depth, depth, count, packed);
      products.multiply(a_TK, depth, rows, packed, depth, count, sums + n, columns);
    }
  });
  parallel_ranges(rows, parts(rows), [&](int64_t part, int64_t begin, int64_t end) {
    prologue(begin, end);
    epilogue(part, begin, end, sums + begin * columns);
  });
}

}  // namespace st::product
