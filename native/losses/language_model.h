#pragma once

#include <ATen/core/Generator.h>

#include <string>

#include "core/sizes.h"
#include "losses/loss.h"
#include "ops/activation.h"

namespace st {

// What a language model over a BERT's vocabulary needs of its config.json.
struct LanguageModelSizes : TransformerSizes {
  explicit LanguageModelSizes(const Config& config);
  int64_t padding_token;
  double initializer_range;
  Activation activation;
};

// Linear layers and norms of a loss that is a network of its own, by the names of a transformers checkpoint: weights
// that the encoder has too may be its own ("tied").
class OwnNetwork {
 public:
  OwnNetwork(LossLayout layout, double initializer_range) : layout_(layout), range_(initializer_range) {}

  void add(const std::string& name, std::vector<int64_t> shape);
  // `<name>.weight`, `<name>.bias`
  void add_linear(const std::string& name, int64_t in, int64_t out);
  void add_norm(const std::string& name, int64_t width);
  // Normal values within the range, zeros for biases, ones for the weights of norms, as transformers' _init_weights.
  void initialize(Parameters& parameters, uint64_t seed) const;

  at::Tensor linear(const LossInput& input, const std::string& name, const at::Tensor& x) const;
  at::Tensor norm(const LossInput& input, const std::string& name, const at::Tensor& x, double epsilon) const;
  // A parameter of the loss, or else the encoder's tensor that it is tied to: without the leading "bert.".
  at::Tensor value(const LossInput& input, const std::string& name) const;

 private:
  LossLayout layout_;
  double range_;
  std::vector<std::pair<std::string, ParamId>> parameters_;
};

// BertOnlyMLMHead: from states to logits over the vocabulary. Its last layer is the table of word embeddings, or, not
// tied, a matrix of its own.
class LanguageModelHead {
 public:
  LanguageModelHead(OwnNetwork& network, const LanguageModelSizes& sizes, bool tied);
  at::Tensor logits(const OwnNetwork& network, const LossInput& input, const at::Tensor& x_TD) const;

 private:
  LanguageModelSizes sizes_;
  std::string last_layer_;
};

// Dropout inside a loss: masks are a pure function of the batch's `draw` and of the order of the calls.
class LossDropout {
 public:
  explicit LossDropout(const LossInput& input);
  // Factors 0 or 1 / (1 - p) of this shape; undefined where nothing is dropped.
  at::Tensor mask(at::IntArrayRef shape, double probability, const at::Tensor& like);
  at::Tensor operator()(const at::Tensor& x, double probability);

 private:
  bool active_;
  at::Generator generator_;
};

}  // namespace st
