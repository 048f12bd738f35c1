#pragma once

#include <memory>
#include <vector>

#include "engine/network.h"

namespace st {

// A forward and backward pass of a batch through a network. Losses attach between forward() and backward(): they get
// pooled embeddings and return their gradient. The transformer's backward is written by hand; autograd does that of
// the heads.
//
// The pass owns its activations and their memory, so that the network can encode and other passes can train at the
// same time. The memory is borrowed from the network, from the constructor to the destructor, so that it is allocated
// once.
class TrainingPass {
 public:
  explicit TrainingPass(Network& network);
  ~TrainingPass();
  TrainingPass(const TrainingPass&) = delete;
  TrainingPass& operator=(const TrainingPass&) = delete;

  // Drops what an earlier call kept. The result may lie in the memory of this pass.
  Network::Output forward(const Input& input, const DropoutKey& dropout, const Network::Wanted& wanted);
  // Takes the input and the key of forward(). `gradient`: that of the outputs of forward(); undefined where there is
  // none. Adds to `gradients`.
  void backward(const Input& input, const DropoutKey& dropout, const Network::Output& gradient, Gradients& gradients,
                const LayerDone& layer_done = {});

 private:
  // The heads on the states of a layer, which are leaves; or on those of all layers, where a head reads them.
  struct Cut {
    at::Tensor tokens_TD, embeddings_RD;
    std::vector<at::Tensor> outputs_TD;  // the last is tokens_TD
    std::vector<int32_t> offsets;        // see Network::Output
    at::Tensor reconstruction_RPD = {};
  };
  Cut cut(const Pass& pass, const at::Tensor& x_TD) const;
  // From the gradients of the embeddings and of the reconstruction (undefined = 0) to that of the states. Adds to the
  // gradients of the heads.
  std::vector<at::Tensor> d_of_heads(const Cut& cut, const at::Tensor& d_RD, const at::Tensor& d_RPD,
                                     Gradients& gradients) const;
  void add_rows(const ParameterRows& rows, const at::Tensor& d_KD, Gradients& gradients) const;
  void forget();

  Network& network_;
  Workspace workspace_;
  std::unique_ptr<Model::Kept> kept_;
  // One after the last layer, or one after each layer.
  std::vector<Cut> cuts_;
  std::vector<at::Tensor> leaves_;
  at::Tensor rows_KD_;  // a leaf, too: the rows that a head reads
  Network::Wanted wanted_;
};

}  // namespace st
