#include "ops/linear_gate.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include "core/profile.h"
#include "ops/linear_rows.h"

namespace st {

void linear_gate(const Input& input, const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_2F,
                 const GateShape& gate, const Dropout& dropout, at::Tensor kept_T2F, at::Tensor after_TF) {
  const ProfileScope scope("linear + gate");
  const int64_t width = after_TF.size(1);
  if (!product::available(x_TI)) {
    const Scratch scratch(weight.workspace);
    const at::Tensor before_T2F = weight.workspace.take({x_TI.size(0), 2 * width}, x_TI.scalar_type());
    linear(x_TI, weight, bias_2F, before_T2F);
    return reference::gate(input, before_T2F, gate, dropout, kept_T2F, after_TF);
  }
  with_product_storage(x_TI.scalar_type(), [&]<typename S>(S) {
    const at::Tensor added_2F = bias_2F.defined() ? bias_2F : at::zeros({2 * width}, at::kFloat);
    const kernels::Gate<S> call{.width = width,
                                .kind = gate.activation,
                                .activated_first = gate.activated_first,
                                .dropout = dropout,
                                .tokens = token_places(input),
                                .bias_2F = data<float>(added_2F),
                                .kept_T2F = data<S>(kept_T2F),
                                .after_TF = data<S>(after_TF)};
    linear_rows<S>(x_TI, weight, nullptr, [&](int64_t, int64_t begin, int64_t end, const float* sums) {
      kernels::table<S>().gate(call, begin, end, sums, thread_scratch<float>(kernels::norm_scratch(width)));
    });
  });
}

void linear_gate_backward(const at::Tensor& d_y_TO, const Weight& weight, const at::Tensor& kept_T2F, at::Tensor d_T2F,
                          at::Tensor d_bias_2F) {
  const ProfileScope scope("linear + gate, backward");
  const int64_t width = kept_T2F.size(1) / 2;
  if (!product::available(d_y_TO)) {
    const Scratch scratch(weight.workspace);
    const at::Tensor d_after_TF = weight.workspace.take({d_y_TO.size(0), width}, d_y_TO.scalar_type());
    linear_backward_input(d_y_TO, weight, d_after_TF, false);
    return reference::gate_backward(d_after_TF, kept_T2F, d_T2F, d_bias_2F);
  }
  with_product_storage(d_y_TO.scalar_type(), [&]<typename S>(S) {
    std::vector<float> partial(product::parts(d_y_TO.size(0)) * 2 * width);
    const kernels::GateBackward<S> call{.width = width, .kept_T2F = data<S>(kept_T2F), .d_T2F = data<S>(d_T2F)};
    linear_backward_rows<S>(d_y_TO, weight, nullptr, [&](int64_t part, int64_t begin, int64_t end, const float* sums) {
      kernels::table<S>().gate_backward(call, begin, end, sums, partial.data() + part * 2 * width);
    });
    add_partials(partial, 2 * width, {d_bias_2F});
  });
}

namespace reference {

namespace {

struct Halves {
  at::Tensor activated_TF, other_TF;
};

Halves halves(const at::Tensor& x_T2F, bool activated_first) {
  const int64_t width = x_T2F.size(1) / 2;
  const at::Tensor first_TF = x_T2F.narrow(1, 0, width), second_TF = x_T2F.narrow(1, width, width);
  return activated_first ? Halves{first_TF, second_TF} : Halves{second_TF, first_TF};
}

}  // namespace

void gate(const Input& input, const at::Tensor& before_T2F, const GateShape& gate, const Dropout& dropout,
          at::Tensor kept_T2F, at::Tensor after_TF) {
  const Halves x = halves(before_T2F, gate.activated_first);
  const at::Tensor activated_TF = x.activated_TF.contiguous();
  at::Tensor value_TF = at::empty_like(activated_TF), slope_TF = at::empty_like(activated_TF);
  reference::activate_out(gate.activation, activated_TF, value_TF, slope_TF);
  at::Tensor other_TF = x.other_TF;
  if (dropout.active()) {
    const at::Tensor factors_TF = dropout_multiplier_TD(dropout, input, other_TF.size(1), other_TF.scalar_type());
    other_TF = other_TF * factors_TF;
    if (kept_T2F.defined()) halves(kept_T2F, gate.activated_first).other_TF.copy_(value_TF * factors_TF);
  } else if (kept_T2F.defined()) {
    halves(kept_T2F, gate.activated_first).other_TF.copy_(value_TF);
  }
  if (kept_T2F.defined()) halves(kept_T2F, gate.activated_first).activated_TF.copy_(slope_TF * other_TF);
  after_TF.copy_(value_TF * other_TF);
}

void gate_backward(const at::Tensor& d_after_TF, const at::Tensor& kept_T2F, at::Tensor d_T2F, at::Tensor d_bias_2F) {
  const int64_t width = d_after_TF.size(1);
  for (int64_t half : {int64_t{0}, width})
    d_T2F.narrow(1, half, width).copy_(d_after_TF * kept_T2F.narrow(1, half, width));
  if (d_bias_2F.defined()) d_bias_2F.add_(d_T2F.sum(at::IntArrayRef{0}, false, d_bias_2F.scalar_type()));
}

}  // namespace reference

}  // namespace st
