#include "models/language_model.h"

#include "core/error.h"
#include "models/architecture.h"
#include "models/decoder.h"
#include "ops/activation.h"

namespace st {

LanguageModelSpec masked_language_model(const Config& config, const TransformerSizes& sizes,
                                        const std::string& class_name, const std::string& prefix,
                                        const LanguageModelSpec::Layers& layers) {
  LanguageModelSpec out;
  out.class_name = class_name;
  out.prefix = prefix;
  out.layers = layers;
  out.width = out.inner = sizes.width;
  out.vocabulary = sizes.vocabulary;
  out.epsilon = sizes.epsilon;
  out.initial.deviation = initializer_range(config);
  return out;
}

PredictionLayers::PredictionLayers(OwnNetwork& network, const LanguageModelSpec& spec, bool tied)
    : spec_(spec), matrix_(tied ? spec.prefix + spec.table : spec.layers.last + ".weight") {
  network.add_linear(spec.layers.dense, spec.width, spec.inner, spec.dense_bias);
  network.add_norm(spec.layers.norm, spec.inner, spec.norm_bias);
  if (!tied) network.add_matrix(matrix_, spec.vocabulary, spec.inner);
  if (!spec.layers.bias.empty()) network.add_bias(spec.layers.bias, spec.vocabulary);
}

VocabularyLayer PredictionLayers::last_layer(const OwnNetwork& network, const NetworkWeights& weights,
                                             const at::Tensor& x_TD) const {
  const auto& [dense, norm, last, bias] = spec_.layers;
  at::Tensor y_TD = activate(spec_.activation, network.linear(weights, dense, x_TD, spec_.dense_bias));
  y_TD = network.norm(weights, norm, y_TD, spec_.epsilon, spec_.norm_bias);
  return {y_TD, network.value(weights, matrix_), bias.empty() ? at::Tensor() : network.value(weights, bias)};
}

namespace {

class PredictionHead final : public LanguageModelHead {
 public:
  PredictionHead(const LanguageModelSpec& spec, bool tied, Layout& layout, const std::string& prefix)
      : network_(layout, prefix, spec.prefix, spec.initial), layers_(network_, spec, tied) {}

  void initialize(Parameters& parameters, uint64_t seed) const override { network_.initialize(parameters, seed); }
  VocabularyLayer last_layer(const NetworkWeights& weights, const at::Tensor& x_TD) const override {
    return layers_.last_layer(network_, weights, x_TD);
  }

 private:
  OwnNetwork network_;
  PredictionLayers layers_;
};

std::unique_ptr<LanguageModelHead> make_head(const Config& config, bool tied, Layout& layout,
                                             const std::string& prefix) {
  const std::string type = config.string("model_type", "bert");
  const std::optional<LanguageModelSpec> spec = describe(type, config).language_model;
  check(spec.has_value(), "ERR_NOT_IMPLEMENTED", "The masked language model of model_type ", type, " is not built yet");
  return std::make_unique<PredictionHead>(*spec, tied, layout, prefix);
}

}  // namespace

std::vector<TensorInfo> tensors_of(const LanguageModelSpec& spec) {
  Layout layout;
  const PredictionHead head(spec, false, layout, "");
  return layout.tensors();
}

const LanguageModelMakers& language_models() {
  static const LanguageModelMakers kMakers{.head = make_head, .decoder = make_decoder};
  return kMakers;
}

}  // namespace st
