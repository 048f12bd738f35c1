#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/network.h"
#include "losses/loss.h"

namespace st {

// One loss with the parameters that it owns.
struct OwnedLoss {
  OwnedLoss(const std::string& name, const Config& spec, int64_t embedding_width, at::Device device,
            at::ScalarType master, uint64_t seed);
  Parameters parameters;
  std::unique_ptr<Loss> loss;
};

// Tensors of a batch that a loss may read besides embeddings, on the device; undefined where the batch has none.
struct LossTensors {
  at::Tensor labels;      // in the shape of the labels; float32 or int32
  at::Tensor guide_RG;    // float32
  at::Tensor text_ids_R;  // int32
};

// Everything that a loss may use besides embeddings.
struct LossContext {
  const PackedBatch& batch;
  Network& network;
  DropoutKey dropout;
  bool training;
  const LossTensors* given = nullptr;  // replaces the tensors of `batch`, which was checked before (check_loss)
  Gradients* gradients = nullptr;      // of the network, for a loss that trains its decoder
  bool recompute = false;              // of the decoder: keep only the inputs of layers
  at::Tensor gradient_scale = {};      // a further factor of the gradients: 0-dim, on the device; undefined = 1
};

// A loss and its gradients, in the form of the network's outputs.
struct LossGradients {
  LossValue value{at::Tensor()};  // on the device, detached from the graph
  Network::Output outputs;
  std::vector<at::Tensor> parameters;         // for the loss's parameters, by ParamId; undefined where unused
  std::map<std::string, at::Tensor> encoder;  // for the encoder's tensors that the loss itself used
};

// Value and gradients of `scale` times the loss. The value is unscaled. Throws ERR_INVALID_DATA where the batch does
// not fit.
LossGradients differentiate(const OwnedLoss& owned, const LossContext& context, const Network::Output& outputs,
                            double scale);
// Throws the errors of differentiate() for a batch that does not fit the loss. Needs no embeddings and no device.
void check_loss(const OwnedLoss& owned, const PackedBatch& batch, int64_t embedding_width);
// Only the value.
LossValue value_of(const OwnedLoss& owned, const LossContext& context, const Network::Output& outputs);

}  // namespace st
