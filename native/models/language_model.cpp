#include "models/language_model.h"

#include <ATen/ops/linear.h>

#include "core/error.h"
#include "models/decoder.h"

namespace st {

LanguageModelSizes::LanguageModelSizes(const Config& config)
    : TransformerSizes(config),
      padding_token(config.integer("pad_token_id", 0)),
      initializer_range(config.number("initializer_range", 0.02)),
      activation(parse_activation(config.string("hidden_act", "gelu"), "hidden_act in config.json")) {
  check(initializer_range >= 0 && initializer_range <= 1e6, "ERR_INVALID_MODEL",
        "Expected 0 to 1e6 for initializer_range in config.json but found ", initializer_range);
  const std::string type = config.string("model_type", "bert");
  check(type == "bert", "ERR_NOT_IMPLEMENTED", "Losses with a language model have one for model_type bert, not for ",
        type);
}

PredictionLayers::PredictionLayers(OwnNetwork& network, const LanguageModelSizes& sizes, bool tied)
    : sizes_(sizes), last_layer_(tied ? "bert.embeddings.word_embeddings.weight" : "cls.predictions.decoder.weight") {
  network.add_linear("cls.predictions.transform.dense", sizes.width, sizes.width);
  network.add_norm("cls.predictions.transform.LayerNorm", sizes.width);
  if (!tied) network.add_matrix(last_layer_, sizes.vocabulary, sizes.width);
  network.add_bias("cls.predictions.bias", sizes.vocabulary);
}

at::Tensor PredictionLayers::logits(const OwnNetwork& network, const NetworkWeights& weights,
                                    const at::Tensor& x_TD) const {
  at::Tensor y_TD = activate(sizes_.activation, network.linear(weights, "cls.predictions.transform.dense", x_TD));
  y_TD = network.norm(weights, "cls.predictions.transform.LayerNorm", y_TD, sizes_.epsilon);
  return at::linear(y_TD, network.value(weights, last_layer_), network.value(weights, "cls.predictions.bias"));
}

namespace {

class Head final : public LanguageModelHead {
 public:
  Head(const LanguageModelSizes& sizes, bool tied, Layout& layout, const std::string& prefix)
      : network_(layout, prefix, sizes.initializer_range, "bert."), layers_(network_, sizes, tied) {}

  void initialize(Parameters& parameters, uint64_t seed) const override { network_.initialize(parameters, seed); }
  at::Tensor logits(const NetworkWeights& weights, const at::Tensor& x_TD) const override {
    return layers_.logits(network_, weights, x_TD);
  }

 private:
  OwnNetwork network_;
  PredictionLayers layers_;
};

std::unique_ptr<LanguageModelHead> make_head(const Config& config, bool tied, Layout& layout,
                                             const std::string& prefix) {
  return std::make_unique<Head>(LanguageModelSizes(config), tied, layout, prefix);
}

}  // namespace

const LanguageModelMakers& language_models() {
  static const LanguageModelMakers kMakers{.head = make_head, .decoder = make_decoder};
  return kMakers;
}

}  // namespace st
