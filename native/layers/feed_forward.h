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

  // Of a training pass, for its way back.
  struct Kept {
    at::Tensor x_TD, slope_TF, after_TF;
    OutputBlock::Kept output;
  };

  // out may be x where no backward follows.
  void forward(const Pass& pass, const at::Tensor& x_TD, at::Tensor out_TD, Kept& kept);
  // Returns the gradient of x, in the memory of d_out.
  at::Tensor backward(const Pass& pass, const Kept& kept, Gradients& gradients, at::Tensor d_out_TD);

 private:
  int64_t inner_;
  Activation activation_;
  Linear intermediate_;
  OutputBlock output_;
};

}  // namespace st
