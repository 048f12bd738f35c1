#pragma once

#include <cstdint>
#include <functional>

#include "core/parameters.h"
#include "core/philox.h"
#include "core/workspace.h"
#include "ops/dropout.h"

namespace st {

// What the cross-attention of a decoder reads: an encoder's rows, as many as the pass has. All layers add to the
// gradient of the states, in the compute dtype; undefined: it is not wanted.
struct Memory {
  const Input& input;
  at::Tensor x_SD, d_x_SD;
};

// Called on the way back with the number of a layer: nothing is added any more to its gradients and to those of the
// layers above it.
using LayerDone = std::function<void(int64_t layer)>;

// A pass of a batch through a network. Without `training`, nothing is kept for a backward pass and nothing is
// dropped.
struct Pass {
  const Input& input;
  const Parameters& parameters;
  Workspace& workspace;
  bool training = false;
  DropoutKey dropout = {};
  bool drops = true;               // in training
  bool recompute = false;          // keep only the inputs of layers; the backward pass recomputes the rest
  bool hold_bias = false;          // a classifier's bias gets no gradient
  bool int8 = false;               // linear layers use 8-bit weights; never in training
  bool outputs = false;            // keep the outputs of each layer, also without a backward pass
  const Memory* memory = nullptr;  // of a decoder
  bool keeps_packed = true;        // packed copies of weights, as large as these, for later passes; not in training
  const LayerDone* layer_done = nullptr;
  bool to_input = true;  // the way back leads below the present layer, which else may leave out its input's gradient

  bool keeps_outputs() const { return training || outputs; }

  // The same for tokens of another input.
  Pass over(const Input& other) const {
    return {other,     parameters, workspace, training, dropout, drops,
            recompute, hold_bias,  int8,      outputs,  memory,  keeps_packed};
  }

  at::ScalarType compute() const { return parameters.compute_type(); }
  at::ScalarType master() const { return parameters.master_type(); }
  at::Tensor take(int64_t width, at::ScalarType type) const { return workspace.take({input.tokens(), width}, type); }
  at::Tensor take(int64_t width) const { return take(width, compute()); }
  // Statistics of a layer norm; only if a backward pass follows.
  at::Tensor take_statistics() const { return training ? workspace.take({input.tokens()}, master()) : at::Tensor(); }
  Dropout dropout_at(uint32_t site, double probability) const {
    return training && drops ? Dropout(dropout, site, probability) : Dropout();
  }
  // With memory for the mask of hidden states.
  DropoutMask mask_at(uint32_t site, double probability, int64_t width) const {
    const Dropout drop = dropout_at(site, probability);
    return {drop, drop.active() ? take(mask_words(width), at::kShort) : at::Tensor()};
  }
};

}  // namespace st
