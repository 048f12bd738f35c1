#pragma once

#include <string>
#include <vector>

#include "core/config.h"
#include "core/layout.h"
#include "core/sizes.h"
#include "models/initial.h"
#include "ops/activation_kind.h"

namespace st {

// The head of one of transformers' …ForMaskedLM: a dense layer, an activation, a layer norm, and the last layer, which
// gives logits over the vocabulary.
struct LanguageModelSpec {
  struct Layers {
    std::string dense, norm, last;
    std::string bias;  // of the last layer: `<last>.bias` or a tensor of its own; empty: there is none
  };

  std::string class_name;  // of transformers
  std::string prefix;      // under which its checkpoints keep the transformer
  Layers layers;
  // The transformer's word embeddings, the last layer's matrix where they are tied.
  std::string table = "embeddings.word_embeddings.weight";
  int64_t width = 0, inner = 0, vocabulary = 0;  // of what it reads, of what the last layer reads, of the logits
  Activation activation = Activation::kGelu;
  double epsilon = 0;
  bool dense_bias = true, norm_bias = true;
  Initial initial;  // of new matrices
};

// A head over states as wide as the transformer, with gelu and the transformer's epsilon.
LanguageModelSpec masked_language_model(const Config& config, const TransformerSizes& sizes,
                                        const std::string& class_name, const std::string& prefix,
                                        const LanguageModelSpec::Layers& layers);

// The tensors of a head that is not tied.
std::vector<TensorInfo> tensors_of(const LanguageModelSpec& spec);

}  // namespace st
