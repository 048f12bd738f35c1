#pragma once

#include "models/language_model_spec.h"
#include "models/own_network.h"

namespace st {

// The layers of a head as a part of a network.
class PredictionLayers {
 public:
  // `tied`: whether the last layer's matrix is the table of word embeddings.
  PredictionLayers(OwnNetwork& network, const LanguageModelSpec& spec, bool tied);
  VocabularyLayer last_layer(const OwnNetwork& network, const NetworkWeights& weights, const at::Tensor& x_TD) const;

 private:
  LanguageModelSpec spec_;
  std::string matrix_;
};

// The networks that losses train.
const LanguageModelMakers& language_models();

}  // namespace st
