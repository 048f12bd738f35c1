#include "core/parameters.h"

#include <ATen/ops/zeros.h>

#include "core/device.h"

namespace st {

void Parameters::allocate(at::Device device, at::ScalarType compute) {
  layout.finish();
  const at::TensorOptions options = at::TensorOptions().device(device);
  master_ = at::zeros({layout.size()}, options.dtype(master_dtype(compute)));
  masters_ = layout.views(master_);
  set_compute(compute);
}

void Parameters::set_compute(at::ScalarType compute) {
  compute_ = master_.to(compute);
  values_ = layout.views(compute_);
}

void Parameters::dispose() {
  masters_.clear();
  values_.clear();
  master_ = compute_ = at::Tensor();
}

void Parameters::refresh() {
  if (!compute_.is_same(master_)) compute_.copy_(master_);
}

Gradients::Gradients(const Layout& layout, const at::Tensor& like)
    : flat_(at::zeros({layout.trained_end()}, like.options())), views_(layout.views(flat_)) {}

}  // namespace st
