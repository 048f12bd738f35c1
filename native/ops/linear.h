#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace st {

class Workspace;

// What an adapter adds to a product: whole, or as products of columns of a narrow matrix, which are computed while the
// rows they are added to are in the cache. Float beside a bfloat16 x. Columns of the narrow matrix may be products
// themselves, of columns of the op's x, which has its dtype: the op adds these to what is there before.
struct Addend {
  struct Source {
    int64_t column;        // the first one of x that it reads
    int64_t inner_column;  // the first one that it makes
    at::Tensor factor_IR;  // one stride is 1
  };
  struct Factor {
    int64_t inner_column;  // the first one that it reads
    int64_t column;        // the first one that it adds to
    at::Tensor factor_RO;  // one stride is 1
  };
  at::Tensor whole_TO = {};
  at::Tensor inner_TR = {};
  std::vector<Factor> factors = {};
  std::vector<Source> sources = {};
  bool defined() const { return whole_TO.defined() || inner_TR.defined(); }
};

// The matrix of a linear layer. If the processor has own kernels, they read it packed: once for all in `packed_OI`
// (pack_weight, for the same kind of row count as x), or by each op for itself if that is null.
struct Weight {
  const at::Tensor& value_OI;
  const at::Tensor* packed_OI;
  Workspace& workspace;
  Addend added = {};
};

// W' in the form that the kernels of linear() read for an x of so many rows. Undefined where there are no kernels for
// its dtype and shape.
at::Tensor pack_weight(const at::Tensor& value_OI, int64_t rows, Workspace& workspace);
// 0 or 1: which of two ways of packing float weights this number of rows uses. A packed matrix serves all rows of its
// way.
int packing_way(int64_t rows);

// The same in 8 bits (float32 weights; only on processors with has_int8_products()). The ops quantise x row by row.
// row.
at::Tensor pack_weight_int8(const at::Tensor& value_OI, Workspace& workspace);
bool has_int8_products();

// out = x W' (+ bias). x, W and out in the compute dtype; bias in the master dtype, or undefined.
void linear(const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_O, at::Tensor out_TO);

// d_x := d_y W, or d_x += d_y W with `accumulate`.
void linear_backward_input(const at::Tensor& d_y_TO, const Weight& weight, at::Tensor d_x_TI, bool accumulate);

// d_weight (master dtype) += d_y' x.
void linear_backward_weight(const at::Tensor& d_y_TO, const at::Tensor& x_TI, at::Tensor d_weight_OI,
                            Workspace& workspace);

namespace reference {
void linear(const at::Tensor& x_TI, const at::Tensor& weight_OI, const at::Tensor& bias_O, at::Tensor out_TO);
void linear_backward_input(const at::Tensor& d_y_TO, const at::Tensor& weight_OI, at::Tensor d_x_TI, bool accumulate);
void linear_backward_weight(const at::Tensor& d_y_TO, const at::Tensor& x_TI, at::Tensor d_weight_OI);
}  // namespace reference

}  // namespace st
