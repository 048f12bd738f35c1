#include "ops/vocabulary_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_log_softmax.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/profile.h"

namespace st {

namespace {

// Logits of a block: 64 MB in float32. More rows would multiply no faster.
constexpr int64_t kBlockLogits = int64_t{1} << 24;

struct Gradients {
  at::Tensor x_TD, weight_VD, bias_V;  // undefined: not wanted
};

// The loss, and the gradients of its mean.
at::Tensor loss_in_blocks(const VocabularyLayer& layer, const at::Tensor& labels_T, const Gradients& d) {
  const auto& [x_TD, weight_VD, bias_V] = layer;
  const int64_t tokens = x_TD.size(0), vocabulary = weight_VD.size(0);
  const int64_t rows = std::clamp<int64_t>(kBlockLogits / vocabulary, 1, std::max<int64_t>(tokens, 1));
  const at::Tensor logits_RV = at::empty({rows, vocabulary}, x_TD.options());
  const at::Tensor logs_RV = at::empty_like(logits_RV);
  const double share = 1 / static_cast<double>(tokens);
  at::Tensor sum = at::zeros({}, x_TD.options());
  for (int64_t begin = 0; begin < tokens; begin += rows) {
    const int64_t count = std::min(rows, tokens - begin);
    const at::Tensor x_BD = x_TD.narrow(0, begin, count), label_B1 = labels_T.narrow(0, begin, count).unsqueeze(1);
    at::Tensor logits_BV = logits_RV.narrow(0, 0, count), log_BV = logs_RV.narrow(0, 0, count);
    at::mm_out(logits_BV, x_BD, weight_VD.t());
    if (bias_V.defined()) logits_BV.add_(bias_V);
    at::_log_softmax_out(log_BV, logits_BV, 1, false);
    sum = sum - log_BV.gather(1, label_B1).sum();
    if (!d.x_TD.defined() && !d.weight_VD.defined() && !d.bias_V.defined()) continue;
    // d loss / d logits is softmax less 1 at the label; its share of the mean comes in behind the products.
    const at::Tensor d_BV = log_BV.exp_();
    d_BV.scatter_add_(1, label_B1, at::full({count, 1}, -1, x_TD.options()));
    if (d.x_TD.defined()) {
      at::Tensor d_x_BD = d.x_TD.narrow(0, begin, count);
      at::mm_out(d_x_BD, d_BV, weight_VD);
      d_x_BD.mul_(share);
    }
    if (d.weight_VD.defined()) at::Tensor(d.weight_VD).addmm_(d_BV.t(), x_BD * share);
    if (d.bias_V.defined()) d.bias_V.add_(d_BV.sum(0), share);
  }
  return sum * share;
}

struct VocabularyLoss : torch::autograd::Function<VocabularyLoss> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x_TD,
                            const at::Tensor& weight_VD, const std::optional<at::Tensor>& bias_V,
                            const at::Tensor& labels_T) {
    const auto wanted = [](const at::Tensor& of, bool sums) {
      if (!of.defined() || !of.requires_grad()) return at::Tensor();
      return sums ? at::zeros_like(of) : at::empty_like(of);
    };
    const at::Tensor bias = bias_V.value_or(at::Tensor());
    const Gradients d{wanted(x_TD, false), wanted(weight_VD, true), wanted(bias, true)};
    const at::Tensor loss = loss_in_blocks({x_TD, weight_VD, bias}, labels_T, d);
    context->save_for_backward({d.x_TD, d.weight_VD, d.bias_V});
    return loss;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& d_loss) {
    torch::autograd::variable_list d = context->get_saved_variables();
    for (at::Tensor& one : d) {
      if (one.defined()) one.mul_(d_loss[0]);
    }
    d.emplace_back();
    return d;
  }
};

}  // namespace

at::Tensor vocabulary_loss(const VocabularyLayer& layer, const at::Tensor& labels_T) {
  const ProfileScope scope("vocabulary");
  check(layer.x_TD.size(0) == labels_T.size(0), "ERR_INVALID_ARGUMENT", "Expected a label for each of ",
        layer.x_TD.size(0), " tokens, found ", labels_T.size(0));
  const std::optional<at::Tensor> bias_V = layer.bias_V.defined() ? std::optional(layer.bias_V) : std::nullopt;
  return VocabularyLoss::apply(layer.x_TD, layer.weight_VD, bias_V, labels_T);
}

namespace reference {

at::Tensor vocabulary_loss(const VocabularyLayer& layer, const at::Tensor& labels_T) {
  return at::cross_entropy_loss(at::linear(layer.x_TD, layer.weight_VD, layer.bias_V), labels_T);
}

}  // namespace reference

}  // namespace st
