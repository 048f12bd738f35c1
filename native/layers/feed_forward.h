#pragma once

#include "layers/self_attention.h"
#include "ops/activation.h"

namespace st {

// norm(x + dropout(W_2 activation(W_1 x))), with the tensor names of a BERT checkpoint under `name`.
class FeedForward {
 public:
  FeedForward(Layout& layout, const std::string& name, const LayerSizes& sizes, Activation activation,
              uint32_t first_site);
  static constexpr uint32_t kSites = 1;

  // out may be x where no backward follows.
  void forward(const Pass& pass, const at::Tensor& x_TD, at::Tensor out_TD);
  // Returns the gradient of x, in the memory of d_out.
  at::Tensor backward(const Pass& pass, Gradients& gradients, at::Tensor d_out_TD);

 private:
  int64_t inner_;
  Activation activation_;
  Linear intermediate_;
  OutputBlock output_;
  at::Tensor x_TD_, slope_TF_, after_TF_;  // of the last training pass
};

}  // namespace st
