#pragma once

#include "layers/output_block.h"
#include "ops/linear_gate.h"

namespace st {

// sum + dropout(W_2 dropout(activation(W_a x) (W_g x))), and its norm (Shazeer 2020). W_a and W_g are one matrix.
class GatedFeedForward {
 public:
  GatedFeedForward(Linear inner, const GateShape& gate, double inner_dropout, uint32_t site, OutputBlock output)
      : inner_(inner), gate_(gate), dropout_(inner_dropout), site_(site), output_(output) {}

  // What a training pass keeps for the backward pass: of frozen layers what the gate reads, as FeedForward does.
  struct Kept {
    at::Tensor x_TD, gate_T2F, after_TF, before_T2F;
    at::Tensor inner_TR;     // of the adapter of W_a and W_g
    bool reads_sum = false;  // the stream was one tensor
    OutputBlock::Kept output;
  };

  NormPlace place() const { return output_.place(); }
  bool is_trained(const Gradients& gradients) const {
    return inner_.is_trained(gradients) || output_.is_trained(gradients);
  }
  Stream take_stream(const Pass& pass) const { return output_.take_stream(pass); }
  // What forward() keeps, except x.
  Kept keep(const Pass& pass) const;
  // out may use the memory of `in` if no backward pass follows.
  Kept forward(const Pass& pass, const Stream& in, const Stream& out) const;
  GraphStream add_to(onnx::Graph& graph, const GraphStream& in) const;
  // Returns the gradient of `in`, in the memory of d_out.
  Stream backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out) const;

 private:
  Linear inner_;
  GateShape gate_;
  double dropout_;
  uint32_t site_;
  OutputBlock output_;
};

}  // namespace st
