// Kernels for losses and heads, with gradients for autograd. On CPU tensors the same arithmetic runs in a plain loop,
// for the tests.
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include "cuda/device_call.h"
#include "cuda/launch.h"
#include "ops/cuda.h"

namespace st::cuda {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <typename Call, typename Row>
void run(const at::Tensor& like, const char* kernel, const Call& call, const Row& row) {
#if ST_WITH_CUDA
  if (like.is_cuda()) return on_device_of(like, kernel, [&](void* stream) { return launch(call, stream); });
#endif
  check(like.is_cpu(), "ERR_LIBTORCH", "No kernel ", kernel, " for ", like.device().str());
  for (int64_t i = 0; i < call.rows; ++i) row(call, i);
}

class MeanPoolFunction : public torch::autograd::Function<MeanPoolFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_TD, const at::Tensor& first_R,
                            const at::Tensor& end_R, bool normalize) {
    const int64_t rows = first_R.size(0), width = x_TD.size(1);
    const at::Tensor x = x_TD.contiguous(), out_RD = at::empty({rows, width}, x.options()),
                     norm_R = at::empty({rows}, x.options());
    const MeanPool call{rows,
                        width,
                        device_data<int32_t>(first_R),
                        device_data<int32_t>(end_R),
                        normalize,
                        device_data<float>(x),
                        device_data<float>(out_RD),
                        device_data<float>(norm_R)};
    run(x, "mean_pool", call, [](const MeanPool& k, int64_t i) { mean_pool_row<kWidestRow>(k, OneLane(), i); });
    context->save_for_backward({first_R, end_R, out_RD, norm_R});
    context->saved_data["normalize"] = normalize;
    context->saved_data["tokens"] = x.size(0);
    return out_RD;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor d_out_RD = gradients[0].contiguous(), &out_RD = saved[2];
    const at::Tensor d_x_TD = at::zeros({context->saved_data["tokens"].toInt(), out_RD.size(1)}, out_RD.options());
    const MeanPoolBackward call{out_RD.size(0),
                                out_RD.size(1),
                                device_data<int32_t>(saved[0]),
                                device_data<int32_t>(saved[1]),
                                context->saved_data["normalize"].toBool(),
                                device_data<float>(d_out_RD),
                                device_data<float>(out_RD),
                                device_data<float>(saved[3]),
                                device_data<float>(d_x_TD)};
    run(out_RD, "mean_pool_backward", call,
        [](const MeanPoolBackward& k, int64_t i) { mean_pool_backward_row(k, OneLane(), i); });
    return {d_x_TD, {}, {}, {}};
  }
};

class SoftmaxLossFunction : public torch::autograd::Function<SoftmaxLossFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& scores_RN, int64_t first_target, double scale) {
    const at::Tensor scores = scores_RN.contiguous(), d_scores_RN = at::empty_like(scores);
    const at::Tensor loss_R = at::empty({scores.size(0)}, scores.options());
    const SoftmaxLoss call{scores.size(0),
                           scores.size(1),
                           first_target,
                           static_cast<float>(scale),
                           1,
                           device_data<float>(scores),
                           device_data<float>(loss_R),
                           device_data<float>(d_scores_RN)};
    run(scores, "softmax_loss", call, [](const SoftmaxLoss& k, int64_t i) { softmax_loss_row(k, OneLane(), i); });
    context->save_for_backward({d_scores_RN});
    return loss_R.sum();
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    return {context->get_saved_variables()[0] * gradients[0], {}, {}};
  }
};

}  // namespace

at::Tensor mean_pool(const at::Tensor& x_TD, const at::Tensor& first_R, const at::Tensor& end_R, bool normalize) {
  return MeanPoolFunction::apply(x_TD, first_R, end_R, normalize);
}

bool takes_rows(const at::Tensor& x_TD) {
  return use_kernels() && x_TD.scalar_type() == at::kFloat && x_TD.size(1) <= kWidestRow;
}

at::Tensor softmax_loss(const at::Tensor& scores_RN, int64_t first_target, double scale) {
  return SoftmaxLossFunction::apply(scores_RN, first_target, scale);
}

}  // namespace st::cuda
