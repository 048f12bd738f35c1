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

// What of a batch a loss may read beside its embeddings, on the device; undefined where the batch has none.
struct LossTensors {
  at::Tensor labels;      // of their shape; float32 or int32
  at::Tensor guide_RG;    // float32
  at::Tensor text_ids_R;  // int32
};

// What the loss of a batch works with beside its embeddings.
struct LossContext {
  const PackedBatch& batch;
  Network& network;
  DropoutKey dropout;
  bool training;
  const LossTensors* given = nullptr;  // in place of what the batch holds; the batch was checked (check_loss)
};

// A loss and the gradients of what it was computed from, in the form of what the network gave.
struct LossGradients {
  LossValue value{at::Tensor()};  // on the device, without the way back to what it came from
  Network::Output outputs;
  std::vector<at::Tensor> parameters;         // of the loss, by ParamId; undefined where unused
  std::map<std::string, at::Tensor> encoder;  // of the encoder's tensors that the loss used itself
};

// Value and gradients of `scale` times the loss; the value is unscaled. Throws ERR_INVALID_DATA where the batch does
// not fit.
LossGradients differentiate(const OwnedLoss& owned, const LossContext& context, const Network::Output& outputs,
                            double scale);
// What differentiate() throws where a batch does not fit the loss, without its embeddings. Asks no device.
void check_loss(const OwnedLoss& owned, const PackedBatch& batch, int64_t embedding_width);
// The value alone.
LossValue value_of(const OwnedLoss& owned, const LossContext& context, const Network::Output& outputs);

}  // namespace st
