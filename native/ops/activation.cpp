#include "ops/activation.h"

#include <ATen/ops/clamp_min.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/threshold_backward.h>

#include <type_traits>

#include "core/error.h"
#include "core/parallel.h"
#include "core/profile.h"
#include "ops/cpu_call.h"

namespace st {

namespace {

[[noreturn]] void not_a_feed_forward_activation() {
  fail("ERR_NOT_IMPLEMENTED", "Only gelu, gelu_new, relu and silu are built for hidden_act");
}

constexpr int64_t kGrain = 16;  // rows that are worth a thread

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

void activate_out(Activation activation, const at::Tensor& x_TF, at::Tensor out_TF, at::Tensor slope_TF) {
  const ProfileScope scope("activation");
  if (!has_kernels(x_TF)) return reference::activate_out(activation, x_TF, out_TF, slope_TF);
  if (!is_feed_forward(activation)) not_a_feed_forward_activation();
  with_storage(x_TF.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t rows = x_TF.size(0), width = x_TF.size(1);
    const std::vector<A> no_bias(width);
    const kernels::Activate<S> call{width, activation, no_bias.data(), data<S>(slope_TF), data<S>(out_TF)};
    parallel_ranges(rows, parallel_parts(rows, kGrain), [&](int64_t, int64_t begin, int64_t end) {
      for_rows(data<S>(x_TF), width, begin, end, [&](int64_t first, int64_t last, const A* block) {
        kernels::table<S>().activate(call, first, last, block);
      });
    });
  });
}

void activate_backward_out(const at::Tensor& d_out_TF, const at::Tensor& slope_TF, at::Tensor d_x_TF,
                           at::Tensor d_bias_F) {
  const ProfileScope scope("activation, backward");
  if (!has_kernels(slope_TF)) return reference::activate_backward_out(d_out_TF, slope_TF, d_x_TF, d_bias_F);
  with_storage(slope_TF.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t rows = slope_TF.size(0), width = slope_TF.size(1), parts = parallel_parts(rows, kGrain);
    const kernels::ActivateBackward<S> call{width, data<S>(slope_TF), data<S>(d_x_TF)};
    std::vector<A> partial(parts * width);
    parallel_ranges(rows, parts, [&](int64_t part, int64_t begin, int64_t end) {
      for_rows(data<S>(d_out_TF), width, begin, end, [&](int64_t first, int64_t last, const A* block) {
        kernels::table<S>().activate_backward(call, first, last, block, partial.data() + part * width);
      });
    });
    add_partials(partial, width, {d_bias_F});
  });
}

namespace reference {

void activate_out(Activation activation, const at::Tensor& x_TF, at::Tensor out_TF, at::Tensor slope_TF) {
  // oneDNN's GELU, for the CPU, takes no single number.
  at::Tensor one;
  if (slope_TF.defined()) one = x_TF.is_cpu() ? at::ones_like(x_TF) : at::ones({}, x_TF.options());
  switch (activation) {
    case Activation::kGelu:
      at::gelu_out(out_TF, x_TF, "none");
      if (one.defined()) at::gelu_backward_out(slope_TF, one, x_TF, "none");
      return;
    case Activation::kGeluTanh:
      at::gelu_out(out_TF, x_TF, "tanh");
      if (one.defined()) at::gelu_backward_out(slope_TF, one, x_TF, "tanh");
      return;
    case Activation::kRelu:
      at::clamp_min_out(out_TF, x_TF, 0);
      if (one.defined()) at::threshold_backward_out(slope_TF, one, x_TF, 0);
      return;
    case Activation::kSilu:
      at::silu_out(out_TF, x_TF);
      if (one.defined()) at::silu_backward_out(slope_TF, one, x_TF);
      return;
    default:
      not_a_feed_forward_activation();
  }
}

void activate_backward_out(const at::Tensor& d_out_TF, const at::Tensor& slope_TF, at::Tensor d_x_TF,
                           at::Tensor d_bias_F) {
  at::mul_out(d_x_TF, d_out_TF, slope_TF);
  if (d_bias_F.defined()) d_bias_F.add_(d_x_TF.sum(at::IntArrayRef{0}, false, d_bias_F.scalar_type()));
}

}  // namespace reference

}  // namespace st
