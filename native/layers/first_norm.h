#pragma once

#include "layers/norm.h"
#include "layers/stream.h"

namespace st {

// The norm in front of the first layer. The stream of a pre-norm model begins with the embeddings and their norm; later
// norms belong to the blocks before them.
class FirstNorm {
 public:
  explicit FirstNorm(const Norm& norm, int64_t width) : norm_(norm), width_(width) {}

  // What a training pass keeps for the backward pass, beside the stream.
  struct Kept {
    at::Tensor x_TD, mean_T, rstd_T;
  };

  bool is_trained(const Gradients& gradients) const { return norm_.is_trained(gradients); }
  Kept keep(const Pass& pass) const;
  // The sum of the stream is in the memory of the embeddings.
  Stream forward(const Pass& pass, const at::Tensor& embeddings_TD, Kept& kept) const;
  GraphStream add_to(onnx::Graph& graph, const onnx::Value& embeddings) const {
    return {embeddings, norm_.add_to(graph, embeddings)};
  }
  // `d`: gradient of the stream. Its sum becomes that of the embeddings.
  void backward(const Pass& pass, Gradients& gradients, const Kept& kept, const at::Tensor& embeddings_TD,
                const Stream& d) const;

 private:
  Norm norm_;
  int64_t width_;
};

}  // namespace st
