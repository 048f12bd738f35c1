#include "ops/linear_activation.h"

#include "ops/linear_rows.h"

namespace st {

namespace {

bool fused(Activation activation, const at::Tensor& x) {
  return product::available(x) && is_feed_forward(activation);
}

}  // namespace

void linear_activation(const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_F, Activation activation,
                       at::Tensor before_TF, at::Tensor after_TF) {
  if (!fused(activation, x_TI)) {
    const at::Tensor& to_TF = before_TF.defined() ? before_TF : after_TF;
    linear(x_TI, weight, bias_F, to_TF);
    return activate_out(activation, to_TF, after_TF);
  }
  with_product_storage(x_TI.scalar_type(), [&]<typename S>(S) {
    const kernels::Activate<S> call{after_TF.size(1), activation, data<float>(bias_F), data<S>(before_TF),
                                    data<S>(after_TF)};
    linear_rows<S>(x_TI, weight, same_memory<S>(after_TF), [&](int64_t, int64_t begin, int64_t end, const float* sums) {
      kernels::table<S>().activate(call, begin, end, sums);
    });
  });
}

void linear_activation_backward(const at::Tensor& d_y_TO, const Weight& weight, Activation activation,
                                const at::Tensor& before_TF, at::Tensor d_before_TF, at::Tensor d_bias_F) {
  if (!fused(activation, d_y_TO)) {
    linear_backward_input(d_y_TO, weight, d_before_TF, false);
    return activate_backward_out(activation, d_before_TF, before_TF, d_before_TF, d_bias_F);
  }
  with_product_storage(d_y_TO.scalar_type(), [&]<typename S>(S) {
    const int64_t width = before_TF.size(1);
    std::vector<float> partial(product::parts(d_y_TO.size(0)) * width);
    const kernels::ActivateBackward<S> call{width, activation, data<S>(before_TF), data<S>(d_before_TF)};
    linear_backward_rows<S>(
        d_y_TO, weight, same_memory<S>(d_before_TF), [&](int64_t part, int64_t begin, int64_t end, const float* sums) {
          kernels::table<S>().activate_backward(call, begin, end, sums, partial.data() + part * width);
        });
    add_partials(partial, {d_bias_F});
  });
}

}  // namespace st
