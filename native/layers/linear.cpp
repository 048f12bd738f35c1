#include "layers/linear.h"

#include "ops/linear.h"

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

void Linear::forward(const Pass& pass, const at::Tensor& x_TI, at::Tensor y_TO) const {
  linear(x_TI, pass.parameters.value(weight_), pass.parameters.value(bias_), y_TO);
}

void Linear::forward_without_bias(const Pass& pass, const at::Tensor& x_TI, at::Tensor y_TO) const {
  linear(x_TI, pass.parameters.value(weight_), at::Tensor(), y_TO);
}

void Linear::backward(const Pass& pass, Gradients& gradients, const at::Tensor& x_TI, const at::Tensor& d_y_TO,
                      at::Tensor d_x_TI, bool accumulate) const {
  linear_backward_weight(d_y_TO, x_TI, gradients[weight_]);
  linear_backward_input(d_y_TO, pass.parameters.value(weight_), d_x_TI, accumulate);
}

void Linear::backward_bias(Gradients& gradients, const at::Tensor& d_y_TO) const {
  bias_backward(d_y_TO, gradients[bias_]);
}

}  // namespace st
