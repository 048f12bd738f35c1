#pragma once

#include "core/sizes.h"
#include "models/own_network.h"
#include "ops/activation.h"

namespace st {

// What a language model over a BERT's vocabulary needs of its config.json.
struct LanguageModelSizes : TransformerSizes {
  explicit LanguageModelSizes(const Config& config);
  int64_t padding_token;
  double initializer_range;
  Activation activation;
};

// BertOnlyMLMHead, a part of a network: from states to logits over the vocabulary. Its last layer is the table of word
// embeddings, or, not tied, a matrix of its own.
class PredictionLayers {
 public:
  PredictionLayers(OwnNetwork& network, const LanguageModelSizes& sizes, bool tied);
  at::Tensor logits(const OwnNetwork& network, const NetworkWeights& weights, const at::Tensor& x_TD) const;

 private:
  LanguageModelSizes sizes_;
  std::string last_layer_;
};

// The networks that losses train.
const LanguageModelMakers& language_models();

}  // namespace st
