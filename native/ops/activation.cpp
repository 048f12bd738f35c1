#include "ops/activation.h"

#include <ATen/ops/clamp_min.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/threshold_backward.h>

#include "core/error.h"

namespace st {

namespace {

[[noreturn]] void not_a_feed_forward_activation() {
  fail("ERR_NOT_IMPLEMENTED", "Only gelu, gelu_new, relu and silu are built for hidden_act");
}

}  // namespace

Activation parse_activation(const std::string& name, const std::string& option) {
  if (name == "identity") return Activation::kIdentity;
  if (name == "gelu") return Activation::kGelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::kGeluTanh;
  if (name == "relu") return Activation::kRelu;
  if (name == "tanh") return Activation::kTanh;
  if (name == "sigmoid") return Activation::kSigmoid;
  if (name == "silu" || name == "swish") return Activation::kSilu;
  fail("ERR_NOT_IMPLEMENTED", "Activation ", name, " of ", option,
       " is not built: expected gelu, gelu_new, gelu_pytorch_tanh, relu, silu, tanh, sigmoid or identity");
}

at::Tensor activate(Activation activation, const at::Tensor& x) {
  switch (activation) {
    case Activation::kIdentity:
      return x;
    case Activation::kGelu:
      return at::gelu(x, "none");
    case Activation::kGeluTanh:
      return at::gelu(x, "tanh");
    case Activation::kRelu:
      return at::relu(x);
    case Activation::kTanh:
      return at::tanh(x);
    case Activation::kSigmoid:
      return at::sigmoid(x);
    case Activation::kSilu:
      return at::silu(x);
  }
  return x;
}

void activate_out(Activation activation, const at::Tensor& x, at::Tensor out) {
  switch (activation) {
    case Activation::kGelu:
      at::gelu_out(out, x, "none");
      return;
    case Activation::kGeluTanh:
      at::gelu_out(out, x, "tanh");
      return;
    case Activation::kRelu:
      at::clamp_min_out(out, x, 0);
      return;
    case Activation::kSilu:
      at::silu_out(out, x);
      return;
    default:
      not_a_feed_forward_activation();
  }
}

void activate_backward_out(Activation activation, const at::Tensor& d_out, const at::Tensor& x, at::Tensor d_x) {
  switch (activation) {
    case Activation::kGelu:
      at::gelu_backward_out(d_x, d_out, x, "none");
      return;
    case Activation::kGeluTanh:
      at::gelu_backward_out(d_x, d_out, x, "tanh");
      return;
    case Activation::kRelu:
      at::threshold_backward_out(d_x, d_out, x, 0);
      return;
    case Activation::kSilu:
      at::silu_backward_out(d_x, d_out, x);
      return;
    default:
      not_a_feed_forward_activation();
  }
}

}  // namespace st
