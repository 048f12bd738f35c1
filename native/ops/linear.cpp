#include "ops/linear.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>

#include "core/profile.h"
#include "ops/cuda.h"
#include "ops/linear_rows.h"

namespace st {

namespace {

void add(const Addend& added, const at::Tensor& x_TI, at::Tensor out_TO) {
  if (added.whole_TO.defined()) out_TO.add_(added.whole_TO);
  if (!added.inner_TR.defined()) return;
  for (const auto& [column, inner_column, factor_IR] : added.sources) {
    added.inner_TR.narrow(1, inner_column, factor_IR.size(1))
        .addmm_(x_TI.narrow(1, column, factor_IR.size(0)), factor_IR);
  }
  const at::Tensor inner_TR = added.inner_TR.to(out_TO.scalar_type());
  for (const auto& [inner_column, column, factor_RO] : added.factors) {
    out_TO.narrow(1, column, factor_RO.size(1))
        .addmm_(inner_TR.narrow(1, inner_column, factor_RO.size(0)), factor_RO.to(out_TO.scalar_type()));
  }
}

}  // namespace

at::Tensor pack_weight(const at::Tensor& value_OI, int64_t rows, Workspace& workspace) {
  const ProfileScope scope("pack weight");
  return product::available(value_OI) ? product::pack(value_OI, true, rows, workspace) : at::Tensor();
}

int packing_way(int64_t rows) {
  return product::is_split(rows);
}

at::Tensor pack_weight_int8(const at::Tensor& value_OI, Workspace& workspace) {
  return product::pack_int8(value_OI, workspace);
}

bool has_int8_products() {
  return kernels::int8_products() != nullptr;
}

void linear(const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_O, at::Tensor out_TO) {
  const ProfileScope scope("linear");
  if (!product::available(x_TI)) {
    reference::linear(x_TI, weight.value_OI, bias_O, out_TO);
    add(weight.added, x_TI, out_TO);
    return;
  }
  with_product_storage(x_TI.scalar_type(), [&]<typename S>(S) {
    const int64_t width = out_TO.size(1);
    const auto store = kernels::table<S>().store_rows;
    linear_rows<S>(x_TI, weight, same_memory<S>(out_TO), [&](int64_t, int64_t begin, int64_t end, const float* sums) {
      store(end - begin, width, sums, data<float>(bias_O), false, data<S>(out_TO) + begin * width);
    });
  });
}

void linear_backward_input(const at::Tensor& d_y_TO, const Weight& weight, at::Tensor d_x_TI, bool accumulate) {
  const ProfileScope scope("linear, input gradient");
  if (!product::available(d_y_TO)) {
    reference::linear_backward_input(d_y_TO, weight.value_OI, d_x_TI, accumulate);
    add(weight.added, d_y_TO, d_x_TI);
    return;
  }
  with_product_storage(d_y_TO.scalar_type(), [&]<typename S>(S) {
    const int64_t width = d_x_TI.size(1);
    const auto store = kernels::table<S>().store_rows;
    linear_backward_rows<S>(d_y_TO, weight, accumulate ? nullptr : same_memory<S>(d_x_TI),
                            [&](int64_t, int64_t begin, int64_t end, const float* sums) {
                              store(end - begin, width, sums, nullptr, accumulate, data<S>(d_x_TI) + begin * width);
                            });
  });
}

void linear_backward_weight(const at::Tensor& d_y_TO, const at::Tensor& x_TI, at::Tensor d_weight_OI,
                            Workspace& workspace) {
  const ProfileScope scope("linear, weight gradient");
  if (x_TI.is_cuda()) return cuda::add_weight_gradient(d_y_TO, x_TI, d_weight_OI);
  if (!product::available(x_TI)) return reference::linear_backward_weight(d_y_TO, x_TI, d_weight_OI);
  product::add_transposed(d_y_TO, x_TI, d_weight_OI, workspace);
}

namespace reference {

void linear(const at::Tensor& x_TI, const at::Tensor& weight_OI, const at::Tensor& bias_O, at::Tensor out_TO) {
  if (bias_O.defined()) {
    at::addmm_out(out_TO, bias_O.to(x_TI.scalar_type()), x_TI, weight_OI.t());
  } else {
    at::mm_out(out_TO, x_TI, weight_OI.t());
  }
}

void linear_backward_input(const at::Tensor& d_y_TO, const at::Tensor& weight_OI, at::Tensor d_x_TI, bool accumulate) {
  if (accumulate) {
    at::addmm_out(d_x_TI, d_x_TI, d_y_TO, weight_OI);
  } else {
    at::mm_out(d_x_TI, d_y_TO, weight_OI);
  }
}

void linear_backward_weight(const at::Tensor& d_y_TO, const at::Tensor& x_TI, at::Tensor d_weight_OI) {
  if (d_weight_OI.scalar_type() == x_TI.scalar_type()) {
    at::addmm_out(d_weight_OI, d_weight_OI, d_y_TO.t(), x_TI);
  } else {
    d_weight_OI.add_(at::mm(d_y_TO.t(), x_TI));
  }
}

}  // namespace reference

}  // namespace st
