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

  // Of a training pass, for its way back.
  struct Kept {
    at::Tensor x_TD, qkv_T3D, context_TD, lse_HT, mask;
    OutputBlock::Kept output;
  };

  void forward(const Pass& pass, const at::Tensor& x_TD, at::Tensor out_TD, Kept& kept);
  // Returns the gradient of x, in the memory of d_out.
  at::Tensor backward(const Pass& pass, const Kept& kept, Gradients& gradients, at::Tensor d_out_TD);

 private:
  int64_t heads_;
  double dropout_;
  uint32_t site_;
  Linear qkv_;
  OutputBlock output_;
};

}  // namespace st
