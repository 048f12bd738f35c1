#pragma once

#include "layers/output_block.h"
#include "ops/activation.h"

namespace st {

// sum + dropout(W_2 dropout(activation(W_1 x))), and its norm. The inner dropout is T5's.
class FeedForward {
 public:
  FeedForward(Linear inner, Activation activation, OutputBlock output, double inner_dropout = 0, uint32_t site = 0)
      : inner_(inner), activation_(activation), output_(output), dropout_(inner_dropout), site_(site) {}

  // What a training pass keeps for the backward pass: of frozen layers, whose training shall take little memory, what
  // the activation reads, in place of all that is made of it.
  struct Kept {
    at::Tensor x_TD, slope_TF, after_TF, before_TF;
    at::Tensor inner_TR;     // of the adapter of W_1
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
  Activation activation_;
  OutputBlock output_;
  double dropout_;
  uint32_t site_;
};

}  // namespace st
