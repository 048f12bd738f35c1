#include "layers/linear.h"

#include <ATen/ops/sum.h>

namespace st {

Linear::Linear(Layout& layout, const std::string& name, int64_t in, int64_t out, bool bias)
    : Linear(layout, std::vector<Part>{{name, out}}, in, bias) {}

Linear::Linear(Layout& layout, const std::vector<Part>& parts, int64_t in, bool bias, const std::string& second_name) {
  std::vector<Layout::Part> weights, biases;
  for (const Part& part : parts) {
    weights.push_back({part.name + ".weight", {part.width, in}});
    biases.push_back({part.name + ".bias", {part.width}});
    width_ += part.width;
  }
  const auto second = [&](const char* suffix) { return second_name.empty() ? "" : second_name + suffix; };
  weight_ = layout.add_fused(weights, Group::kDecay, second(".weight"));
  if (bias) bias_ = layout.add_fused(biases, Group::kNoDecay, second(".bias"));
}

Weight Linear::weight(const Pass& pass) const {
  const at::Tensor& value_OI = pass.parameters.value(weight_);
  if (pass.training || (!pass.keeps_packed && !pass.int8)) return {value_OI, nullptr, pass.workspace};
  const int64_t rows = pass.input.tokens();
  constexpr int kInt8Way = 2;  // beside packing_way()
  const at::Tensor& packed_OI =
      pass.parameters.derived(weight_, pass.int8 ? kInt8Way : packing_way(rows), [&](Workspace& workspace) {
        return pass.int8 ? pack_weight_int8(value_OI, workspace) : pack_weight(value_OI, rows, workspace);
      });
  return {value_OI, packed_OI.defined() ? &packed_OI : nullptr, pass.workspace};
}

void Linear::forward(const Pass& pass, const at::Tensor& x_TI, at::Tensor y_TO) const {
  linear(x_TI, weight(pass), bias(pass), y_TO);
}

void Linear::backward(const Pass& pass, Gradients& gradients, const at::Tensor& x_TI, const at::Tensor& d_y_TO,
                      at::Tensor d_x_TI, bool accumulate) const {
  backward_weight(pass, gradients, x_TI, d_y_TO);
  linear_backward_input(d_y_TO, weight(pass), d_x_TI, accumulate);
}

void Linear::backward_weight(const Pass& pass, Gradients& gradients, const at::Tensor& x_TI,
                             const at::Tensor& d_y_TO) const {
  if (gradients[weight_].defined()) linear_backward_weight(d_y_TO, x_TI, gradients[weight_], pass.workspace);
}

void Linear::backward_bias(Gradients& gradients, const at::Tensor& d_y_TO) const {
  const at::Tensor d_bias_O = bias_gradient(gradients);
  if (!d_bias_O.defined()) return;
  d_bias_O.add_(d_y_TO.sum(at::IntArrayRef{0}, false, d_bias_O.scalar_type()));
}

}  // namespace st
