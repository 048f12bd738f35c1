#pragma once

#include "layers/output_block.h"
#include "ops/attention.h"

namespace st {

// sum + dropout(W_o attention(W_q x, W_kv memory)), and its norm: the tokens of a decoder attend to those of the
// encoder (Pass::memory). Row r of the one reads row r of the other.
class CrossAttention {
 public:
  // `keys_values`: keys and values are one matrix.
  CrossAttention(Linear query, Linear keys_values, const AttentionShape& shape, double dropout, uint32_t site,
                 OutputBlock output)
      : query_(query), keys_values_(keys_values), shape_(shape), dropout_(dropout), site_(site), output_(output) {}

  // What a training pass keeps for the backward pass.
  struct Kept {
    at::Tensor x_TD, q_TX, kv_S2Y, context_TX, lse_HT, mask;
    at::Tensor query_TR, keys_values_SR;  // of adapters
    bool reads_sum = false;               // the stream was one tensor
    OutputBlock::Kept output;
  };

  NormPlace place() const { return output_.place(); }
  Stream take_stream(const Pass& pass) const { return output_.take_stream(pass); }
  // What forward() keeps, except x. A pass without memory counts as one whose memory has its own rows.
  Kept keep(const Pass& pass) const;
  // out may use the memory of `in` if no backward pass follows.
  Kept forward(const Pass& pass, const Stream& in, const Stream& out) const;
  // Returns the gradient of `in`, in the memory of d_out. Adds to that of the encoder's states, if it is wanted.
  Stream backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out) const;

  // The parts, for passes that keep keys and values (generation).
  const Linear& query() const { return query_; }
  const Linear& keys_values() const { return keys_values_; }
  const AttentionShape& shape() const { return shape_; }
  const OutputBlock& output() const { return output_; }

 private:
  AttentionCall call(const Pass& pass) const;
  Projections projections(const at::Tensor& q_TX, const at::Tensor& kv_S2Y) const;

  Linear query_, keys_values_;
  AttentionShape shape_;
  double dropout_;
  uint32_t site_;
  OutputBlock output_;
};

}  // namespace st
