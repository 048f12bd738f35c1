#pragma once

#include <memory>
#include <vector>

#include "engine/network.h"

namespace st {

// A batch on its way through a network and back. forward() and backward() are the cut that losses stand on: pooled
// embeddings out, their gradient in. The transformer's backward is written by hand; the heads' is autograd's.
//
// What is kept in between is the pass's own, with the memory that it lies in: the network encodes and other passes
// train beside it. The memory is the network's, borrowed from the constructor to the destructor, so that it is made
// once.
class TrainingPass {
 public:
  explicit TrainingPass(Network& network);
  ~TrainingPass();
  TrainingPass(const TrainingPass&) = delete;
  TrainingPass& operator=(const TrainingPass&) = delete;

  // Forgets what an earlier call has kept. What it gives may lie in the memory of this pass.
  Network::Output forward(const Input& input, const DropoutKey& dropout, const Network::Wanted& wanted);
  // With the input and the key of forward(). `gradient`: of what that gave; undefined where there is none. Adds to
  // `gradients`.
  void backward(const Input& input, const DropoutKey& dropout, const Network::Output& gradient, Gradients& gradients);

 private:
  // The heads on the states of a layer, which are leaves; on those of all layers where a head reads them.
  struct Cut {
    at::Tensor tokens_TD, embeddings_RD;
    std::vector<at::Tensor> outputs_TD;  // the last is tokens_TD
  };
  Cut cut(const Pass& pass, const at::Tensor& x_TD) const;
  // From the gradient of its embeddings, undefined = 0, those of the states; adds to the gradients of the heads.
  std::vector<at::Tensor> d_of_heads(const Cut& cut, const at::Tensor& d_RD, Gradients& gradients) const;
  void forget();

  Network& network_;
  Workspace workspace_;
  std::unique_ptr<Model::Kept> kept_;
  // One after the last layer, or one after each.
  std::vector<Cut> cuts_;
  std::vector<at::Tensor> leaves_;
  Network::Wanted wanted_;
};

}  // namespace st
