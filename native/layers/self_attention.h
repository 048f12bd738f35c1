#pragma once

#include "layers/output_block.h"

namespace st {

struct LayerSizes {
  int64_t width, heads, inner;
  double epsilon, dropout, attention_dropout;
};

// norm(x + dropout(W_o attention(W_qkv x))), with the tensor names of a BERT checkpoint under `name`.
class SelfAttention {
 public:
  SelfAttention(Layout& layout, const std::string& name, const LayerSizes& sizes, uint32_t first_site);
  static constexpr uint32_t kSites = 2;

  void forward(const Pass& pass, const at::Tensor& x_TD, at::Tensor out_TD);
  // Returns the gradient of x, in the memory of d_out.
  at::Tensor backward(const Pass& pass, Gradients& gradients, at::Tensor d_out_TD);

 private:
  int64_t heads_;
  double dropout_;
  uint32_t site_;
  Linear qkv_;
  OutputBlock output_;
  at::Tensor x_TD_, qkv_T3D_, context_TD_, lse_HT_, mask_;  // of the last training pass
};

}  // namespace st
