#include "layers/linear.h"

namespace st {

namespace {

std::vector<std::string> with_suffix(const std::vector<std::string>& names, const char* suffix) {
  std::vector<std::string> out;
  for (const std::string& name : names) out.push_back(name + suffix);
  return out;
}

}  // namespace

Linear::Linear(Layout& layout, const std::vector<std::string>& names, int64_t in, int64_t out_of_each)
    : weight_(layout.add_fused(with_suffix(names, ".weight"), {out_of_each, in}, Group::kDecay)),
      bias_(layout.add_fused(with_suffix(names, ".bias"), {out_of_each}, Group::kNoDecay)) {}

Weight Linear::weight(const Pass& pass) {
  const at::Tensor& value_OI = pass.parameters.value(weight_);
  if (pass.training) return {value_OI, nullptr, pass.workspace};
  const int64_t rows = pass.input.tokens();
  Packed& packed = packed_[pass.int8 ? 0 : packing_way(rows)];
  if (packed.version != pass.parameters.version()) {
    packed.weight_OI = pass.int8 ? pack_weight_int8(value_OI, pass.parameters.derived())
                                 : pack_weight(value_OI, rows, pass.parameters.derived());
    packed.version = pass.parameters.version();
  }
  return {value_OI, packed.weight_OI.defined() ? &packed.weight_OI : nullptr, pass.workspace};
}

void Linear::forward(const Pass& pass, const at::Tensor& x_TI, at::Tensor y_TO) {
  linear(x_TI, weight(pass), bias(pass), y_TO);
}

void Linear::backward(const Pass& pass, Gradients& gradients, const at::Tensor& x_TI, const at::Tensor& d_y_TO,
                      at::Tensor d_x_TI, bool accumulate) {
  backward_weight(pass, gradients, x_TI, d_y_TO);
  linear_backward_input(d_y_TO, weight(pass), d_x_TI, accumulate);
}

void Linear::backward_weight(const Pass& pass, Gradients& gradients, const at::Tensor& x_TI,
                             const at::Tensor& d_y_TO) const {
  linear_backward_weight(d_y_TO, x_TI, gradients[weight_], pass.workspace);
}

}  // namespace st
