#pragma once

#include <optional>

#include "layers/output_block.h"
#include "layers/rotary.h"

namespace st {

// sum + dropout(W_o attention(W_qkv x)), and its norm. Queries and keys may be turned by their positions.
class SelfAttention {
 public:
  SelfAttention(Linear qkv, std::optional<Rotary> rotary, int64_t heads, double dropout, uint32_t site,
                OutputBlock output)
      : qkv_(qkv), rotary_(rotary), heads_(heads), dropout_(dropout), site_(site), output_(output) {}

  // Of a training pass, for its way back.
  struct Kept {
    at::Tensor x_TD, qkv_T3D, context_TD, lse_HT, mask;
    bool reads_sum = false;  // the stream came as one tensor
    OutputBlock::Kept output;
  };

  NormPlace place() const { return output_.place(); }
  Stream take_stream(const Pass& pass) const { return output_.take_stream(pass); }
  // All that forward() keeps, but for x.
  Kept keep(const Pass& pass) const;
  // out may be the memory of `in` where no backward follows.
  Kept forward(const Pass& pass, const Stream& in, const Stream& out) const;
  // Returns the gradient of `in`, in the memory of d_out.
  Stream backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out) const;

 private:
  int64_t width() const { return qkv_.width() / 3; }

  void project(const Pass& pass, const at::Tensor& x_TD, at::Tensor qkv_T3D) const;

  Linear qkv_;
  std::optional<Rotary> rotary_;
  int64_t heads_;
  double dropout_;
  uint32_t site_;
  OutputBlock output_;
};

}  // namespace st
