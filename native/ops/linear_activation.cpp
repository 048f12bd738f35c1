#include "ops/linear_activation.h"

#include <ATen/ops/zeros.h>

#include "core/profile.h"
#include "ops/linear_rows.h"

namespace st {

void linear_activation(const Input& input, const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_F,
                       Activation activation, const Dropout& dropout, at::Tensor slope_TF, at::Tensor after_TF,
                       at::Tensor before_TF) {
  const ProfileScope scope("linear + activation");
  if (!product::available(x_TI) || !is_feed_forward(activation)) {
    if (!before_TF.defined()) before_TF = slope_TF.defined() ? slope_TF : after_TF;
    linear(x_TI, weight, bias_F, before_TF);
    activate_out(activation, before_TF, after_TF, slope_TF);
    return drop(input, dropout, after_TF, slope_TF);
  }
  with_product_storage(x_TI.scalar_type(), [&]<typename S>(S) {
    const int64_t width = after_TF.size(1);
    const bool keeps = before_TF.defined();  // it includes the bias
    const at::Tensor added_F = bias_F.defined() && !keeps ? bias_F : at::zeros({width}, at::kFloat);
    const kernels::Activate<S> call{.width = width,
                                    .kind = activation,
                                    .bias_F = data<float>(added_F),
                                    .slope_TF = data<S>(slope_TF),
                                    .after_TF = data<S>(after_TF)};
    const kernels::Drop<S> dropped{width, dropout, token_places(input), call.after_TF, call.slope_TF};
    float* sums_TF = same_memory<S>(keeps ? before_TF : after_TF);
    linear_rows<S>(x_TI, weight, sums_TF, [&](int64_t, int64_t begin, int64_t end, float* sums) {
      if (keeps) {
        kernels::table<float>().store_rows(end - begin, width, sums, data<float>(bias_F), false, sums);
        kernels::table<S>().store_rows(end - begin, width, sums, nullptr, false, data<S>(before_TF) + begin * width);
      }
      kernels::table<S>().activate(call, begin, end, sums);
      if (!dropout.active()) return;
      kernels::table<S>().drop(dropped, begin, end, thread_scratch<float, Activation>(kernels::norm_scratch(width)));
    });
  });
}

void linear_activation_backward(const at::Tensor& d_y_TO, const Weight& weight, const at::Tensor& slope_TF,
                                at::Tensor d_before_TF, at::Tensor d_bias_F) {
  const ProfileScope scope("linear + activation, backward");
  if (!product::available(d_y_TO)) {
    linear_backward_input(d_y_TO, weight, d_before_TF, false);
    return activate_backward_out(d_before_TF, slope_TF, d_before_TF, d_bias_F);
  }
  with_product_storage(d_y_TO.scalar_type(), [&]<typename S>(S) {
    const int64_t width = slope_TF.size(1);
    std::vector<float> partial(product::parts(d_y_TO.size(0)) * width);
    const kernels::ActivateBackward<S> call{width, data<S>(slope_TF), data<S>(d_before_TF)};
    linear_backward_rows<S>(
        d_y_TO, weight, same_memory<S>(d_before_TF), [&](int64_t part, int64_t begin, int64_t end, const float* sums) {
          kernels::table<S>().activate_backward(call, begin, end, sums, partial.data() + part * width);
        });
    add_partials(partial, width, {d_bias_F});
  });
}

}  // namespace st
