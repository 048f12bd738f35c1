#pragma once

#include <string>
#include <vector>

#include "core/config.h"
#include "core/sizes.h"
#include "layers/feed_forward.h"
#include "layers/layer.h"

namespace st {

// The layers of BERT, which RoBERTa, ELECTRA and others have under the same names.
struct BertLayers {
  TransformerSizes sizes;
  NormOptions norm;
  Activation activation;

  explicit BertLayers(const Config& config, const SizeKeys& keys = SizeKeys());
  // `<prefix>encoder.layer.<i>.…`; places of dropout are counted from `site` on.
  std::vector<Layer<FeedForward>> add_to(Layout& layout, const std::string& prefix, uint32_t site) const;
};

// The id of the padding token, whose embedding is not trained; -1: there is none, as for null. `fallback` where
// config.json says nothing.
int64_t padding_token(const Config& config, int64_t fallback, int64_t vocabulary);

}  // namespace st
