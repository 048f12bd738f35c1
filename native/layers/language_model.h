#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/parameters.h"
#include "ops/vocabulary_loss.h"

// Networks over the vocabulary that a loss trains beside the encoder. Losses know these interfaces, models/ has the
// networks, and the engine brings them together.
namespace st {

// What such a network computes with, in the master dtype and differentiable by autograd.
struct NetworkWeights {
  const std::vector<at::Tensor>& own;                // by ParamId
  const std::map<std::string, at::Tensor>& encoder;  // by tensor name, for weights that are tied to the encoder's
};

class LossNetwork {
 public:
  virtual ~LossNetwork() = default;
  // Initial values of its own parameters.
  virtual void initialize(Parameters& parameters, uint64_t seed) const = 0;
};

// From the states of tokens to the layer that gives logits over the vocabulary.
class LanguageModelHead : public LossNetwork {
 public:
  virtual VocabularyLayer last_layer(const NetworkWeights& weights, const at::Tensor& x_TD) const = 0;
};

// Texts that a decoder reads, all rows one after the other without padding.
struct DecoderInput {
  at::Tensor ids_T, positions_T, rows_T;
  at::Tensor slots_T;  // place of each token in [rows, length]
  int64_t rows, length;
  at::Tensor sentence_RD;  // what the cross-attention of each row sees
  bool training = false;   // whether to drop
  uint64_t draw = 0;       // masks of dropout are a function of it
};

// A decoder with a head, whose logits are those of the token that follows each token.
class LanguageModelDecoder : public LossNetwork {
 public:
  virtual int64_t positions() const = 0;      // of the longest row
  virtual int64_t padding_token() const = 0;  // is not predicted
  virtual VocabularyLayer last_layer(const NetworkWeights& weights, const DecoderInput& input) const = 0;
};

// What the decoder shares.
struct DecoderTies {
  bool encoder = true;  // all that the encoder has too is the encoder's
  bool words = true;    // the last layer is the table of word embeddings
};

// Makes the networks for a config.json; their parameters are added to `layout` under `prefix`.
struct LanguageModelMakers {
  // `tied`: whether the last layer is the encoder's table of word embeddings.
  std::unique_ptr<LanguageModelHead> (*head)(const Config& config, bool tied, Layout& layout,
                                             const std::string& prefix);
  // `width`: of the embeddings that it reads.
  std::unique_ptr<LanguageModelDecoder> (*decoder)(const Config& config, DecoderTies ties, int64_t width,
                                                   Layout& layout, const std::string& prefix);
};

}  // namespace st
