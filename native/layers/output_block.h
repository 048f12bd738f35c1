#pragma once

#include "layers/linear.h"
#include "layers/norm.h"
#include "ops/dropout.h"
#include "ops/linear_residual_norm.h"

namespace st {

// The end of both halves of a post-norm transformer layer: norm(residual + dropout(linear(x))).
class OutputBlock {
 public:
  OutputBlock() = default;
  OutputBlock(Layout& layout, const std::string& name, int64_t in, int64_t width, double epsilon, double dropout,
              uint32_t site);

  // Of a training pass, for its way back.
  struct Kept {
    at::Tensor sum_TD, mean_T, rstd_T;
    DropoutMask mask;
  };

  // out may be the residual where no backward follows.
  void forward(const Pass& pass, const at::Tensor& x_TI, const at::Tensor& residual_TD, at::Tensor out_TD, Kept& kept);
  // All but the gradient of x, which is d_y W for the weight() of this block: gives d_y, in the pass's workspace, and
  // the gradient of the residual in the memory of d_out.
  at::Tensor backward(const Pass& pass, const Kept& kept, Gradients& gradients, const at::Tensor& d_out_TD,
                      const at::Tensor& x_TI);
  Weight weight(const Pass& pass) { return linear_.weight(pass); }

 private:
  Linear linear_;
  Norm norm_;
  double dropout_ = 0;
  uint32_t site_ = 0;
};

}  // namespace st
