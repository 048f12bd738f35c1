#include "layers/linear.h"

#include <ATen/ops/sum.h>

#include "core/error.h"
#include "core/yield.h"
#include "layers/low_rank.h"
#include "onnx/ops.h"

namespace st {

namespace {
constexpr int kInt8Way = 2, kWholeWay = 3;  // of what is derived from a weight, beside packing_way()
}  // namespace

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
  layout.mark_linear(weight_);
  if (bias) bias_ = layout.add_fused(biases, Group::kNoDecay, second(".bias"));
}

Weight Linear::packed(const Pass& pass) const {
  const at::Tensor& value_OI = pass.parameters.value(weight_);
  const LowRank* low = pass.parameters.low_rank(weight_);
  if (!pass.keeps_packed && !pass.int8 && low == nullptr) return {value_OI, nullptr, pass.workspace};
  const auto sum = [&] { return low == nullptr ? value_OI : with_low_rank(pass.parameters, weight_, *low); };
  const int64_t rows = pass.input.tokens();
  const at::Tensor& packed_OI =
      pass.parameters.derived(weight_, pass.int8 ? kInt8Way : packing_way(rows), [&](Workspace& workspace) {
        if (pass.int8) return pack_weight_int8(sum(), workspace);
        return pack_weight(sum().to(value_OI.scalar_type()), rows, workspace);
      });
  if (packed_OI.defined()) return {value_OI, &packed_OI, pass.workspace};
  return {whole(pass), nullptr, pass.workspace};
}

const at::Tensor& Linear::whole(const Pass& pass) const {
  const at::Tensor& value_OI = pass.parameters.value(weight_);
  const LowRank* low = pass.parameters.low_rank(weight_);
  if (low == nullptr) return value_OI;
  return pass.parameters.derived(weight_, kWholeWay, [&](Workspace& workspace) {
    return workspace.take(value_OI.sizes(), value_OI.scalar_type())
        .copy_(with_low_rank(pass.parameters, weight_, *low));
  });
}

at::Tensor Linear::keep(const Pass& pass) const {
  const LowRank* low = pass.parameters.low_rank(weight_);
  return low != nullptr ? keep_low_rank(pass, *low) : at::Tensor();
}

Weight Linear::weight(const Pass& pass, const at::Tensor& x_TI, const at::Tensor& inner_TR) const {
  if (!pass.training) return packed(pass);
  Weight out{pass.parameters.value(weight_), nullptr, pass.workspace};
  const LowRank* low = pass.parameters.low_rank(weight_);
  if (low != nullptr) out.added = low_rank_forward(pass, *low, x_TI, inner_TR);
  return out;
}

void Linear::forward(const Pass& pass, const at::Tensor& x_TI, const at::Tensor& inner_TR, at::Tensor y_TO) const {
  const Scratch scratch(pass.workspace);
  linear(x_TI, weight(pass, x_TI, inner_TR), bias(pass), y_TO);
}

void Linear::backward(const Pass& pass, Gradients& gradients, const at::Tensor& x_TI, const at::Tensor& inner_TR,
                      const at::Tensor& d_y_TO, at::Tensor d_x_TI, bool accumulate) const {
  const Scratch scratch(pass.workspace);
  const LowRank* low = pass.parameters.low_rank(weight_);
  if (low == nullptr || !is_made_in_products(pass, *low)) {
    return linear_backward_input(d_y_TO, backward_weight(pass, gradients, x_TI, inner_TR, d_y_TO), d_x_TI, accumulate);
  }
  Weight weight = whole_gradient(pass, gradients, x_TI, d_y_TO);
  weight.added = low_rank_input(pass, *low);
  linear_backward_input(d_y_TO, weight, d_x_TI, accumulate);
  add_low_rank_gradients(pass, gradients, *low, x_TI, inner_TR, weight.added.inner_TR, d_y_TO);
}

Weight Linear::whole_gradient(const Pass& pass, Gradients& gradients, const at::Tensor& x_TI,
                              const at::Tensor& d_y_TO) const {
  if (gradients[weight_].defined()) {
    linear_backward_weight(d_y_TO, x_TI, gradients[weight_], pass.workspace);
    yield_here();
  }
  return {pass.parameters.value(weight_), nullptr, pass.workspace};
}

Weight Linear::backward_weight(const Pass& pass, Gradients& gradients, const at::Tensor& x_TI,
                               const at::Tensor& inner_TR, const at::Tensor& d_y_TO) const {
  Weight out = whole_gradient(pass, gradients, x_TI, d_y_TO);
  const LowRank* low = pass.parameters.low_rank(weight_);
  if (low != nullptr) out.added = low_rank_backward(pass, gradients, *low, x_TI, inner_TR, d_y_TO);
  return out;
}

bool Linear::takes_rows(const Pass& pass) const {
  const LowRank* low = pass.parameters.low_rank(weight_);
  return is_frozen(pass) && pass.parameters.value(weight_).is_cpu() &&
         (low == nullptr || is_made_in_products(pass, *low));
}

void Linear::backward_rows(const Pass& pass, Gradients& gradients, const Weight& weight, int64_t first,
                           const at::Tensor& x_BI) const {
  const LowRank* low = pass.parameters.low_rank(weight_);
  if (low == nullptr) return;
  add_low_rank_gradient_of_a(pass, gradients, *low, x_BI, weight.added.inner_TR.narrow(0, first, x_BI.size(0)));
}

std::vector<onnx::Value> Linear::add_to(onnx::Graph& graph, const onnx::Value& x,
                                        const std::vector<int64_t>& widths) const {
  const std::vector<TensorInfo> weights = graph.tensors(weight_);
  const std::vector<TensorInfo> biases = bias_ >= 0 ? graph.tensors(bias_) : std::vector<TensorInfo>();
  std::vector<onnx::Value> out;
  for (size_t i = 0; i < weights.size(); ++i) {
    out.push_back(onnx::product(graph, x, weights[i], bias_ >= 0 ? &biases[i] : nullptr));
  }
  if (out.size() == 1 && widths.size() > 1) return onnx::split(graph, out[0], widths);
  check(out.size() == widths.size(), "ERR_INVALID_ARGUMENT", "Expected a layer of ", widths.size(), " parts, found ",
        out.size());
  return out;
}

void Linear::backward_bias(Gradients& gradients, const at::Tensor& d_y_TO) const {
  const at::Tensor d_bias_O = bias_gradient(gradients);
  if (!d_bias_O.defined()) return;
  d_bias_O.add_(d_y_TO.sum(at::IntArrayRef{0}, false, d_bias_O.scalar_type()));
}

}  // namespace st
