#pragma once

#include <string>

#include "core/sizes.h"
#include "layers/gated_feed_forward.h"
#include "layers/layer.h"
#include "models/bert_family.h"
#include "models/rope.h"

namespace st {

// Post-norm layers with rotary positions and a gated feed-forward block, under the names of transformers: NomicBERT and
// GTE.
struct RotaryBertLayers {
  TransformerSizes sizes;
  NormOptions norm;
  Activation activation;  // of the gate
  RotaryBase rope;
  bool projection_bias;  // of attention
  bool down_bias;        // of the last layer of the feed-forward block
  double inner_dropout;  // behind the gate

  std::vector<Layer<GatedFeedForward>> add_to(Layout& layout, const std::string& prefix, uint32_t site) const;
};

}  // namespace st
