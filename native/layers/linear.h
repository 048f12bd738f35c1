#pragma once

#include <string>
#include <vector>

#include "layers/pass.h"
#include "ops/linear.h"

namespace st {

// y = x W' + b. Several named layers of the same input may share one matrix (query, key, value).
class Linear {
 public:
  Linear() = default;
  Linear(Layout& layout, const std::vector<std::string>& names, int64_t in, int64_t out_of_each);

  void forward(const Pass& pass, const at::Tensor& x_TI, at::Tensor y_TO);
  // For ops that do more than forward(). Packed once for all passes that train nothing.
  Weight weight(const Pass& pass);
  // d_x (defined unless nobody needs it) is added to when `accumulate`.
  void backward(const Pass& pass, Gradients& gradients, const at::Tensor& x_TI, const at::Tensor& d_y_TO,
                at::Tensor d_x_TI, bool accumulate);
  void backward_weight(const Pass& pass, Gradients& gradients, const at::Tensor& x_TI, const at::Tensor& d_y_TO) const;

  const at::Tensor& bias(const Pass& pass) const { return pass.parameters.master(bias_); }
  const at::Tensor& bias_gradient(const Gradients& gradients) const { return gradients[bias_]; }

 private:
  ParamId weight_ = -1, bias_ = -1;
  struct Packed {
    at::Tensor weight_OI;
    int64_t version = -1;
  };
  Packed packed_[2];  // by packing_way()
};

}  // namespace st
