#include "models/qwen.h"

#include <cmath>
#include <optional>
#include <vector>

#include "core/model_config.h"
#include "models/bert_family.h"
#include "models/decoder_layers.h"
#include "models/layer_types.h"

namespace st {

namespace {

// How many tokens a sliding layer sees; none: no layer slides.
std::optional<int64_t> window_of(const Config& given) {
  const ModelConfig config(given);
  const bool is_null = given.object().count("sliding_window") > 0 && !config.has("sliding_window");
  if (!config.boolean("use_sliding_window", false) || is_null) return {};
  return config.integer("sliding_window", 4096, 1);
}

std::vector<DecoderLayerKind> kinds_of(const Config& given, const DecoderSizes& sizes) {
  const ModelConfig config(given);
  const RotaryBase rope = decoder_rope(given, sizes.head_dim);
  const bool causal = config.boolean("is_causal", true);
  const std::optional<int64_t> window = window_of(given);
  const int64_t first = config.integer("max_window_layers", 28, 0);
  const std::vector<bool> slides = sliding_layers(given, sizes.layers);
  std::vector<DecoderLayerKind> out;
  for (int64_t i = 0; i < sizes.layers; ++i) {
    DecoderLayerKind kind{.causal = causal, .rope = rope};
    const bool sliding = slides.empty() ? window && i >= first : slides[static_cast<size_t>(i)];
    if (sliding && !window) config.not_built("layer_types", "sliding_attention with use_sliding_window: true alone");
    // Towards the past the window counts the token itself, both ways it does not.
    if (sliding) kind.window = causal ? *window - 1 : *window;
    out.push_back(kind);
  }
  return out;
}

DecoderLayers layers_of(const Config& given, bool third) {
  const ModelConfig config(given);
  SizeKeys keys = decoder_keys();
  if (third || config.has("head_dim")) keys.head_dim = {"head_dim", 128};
  const DecoderSizes sizes(given, keys, 32);
  const bool bias = third ? config.boolean("attention_bias", false) : true;
  return {.sizes = sizes,
          .norm = {.epsilon = sizes.epsilon, .kind = NormKind::kRms, .beta = false},
          .activation = parse_activation(config.text("hidden_act", "silu"), "hidden_act in config.json"),
          .kinds = kinds_of(given, sizes),
          .scale = 1 / std::sqrt(static_cast<double>(sizes.head_dim)),
          .qkv_bias = bias,
          .output_bias = third && bias,
          .head_norms = third,
          .embedding = {.padding = padding_token(given, -1, sizes.vocabulary)}};
}

}  // namespace

Description describe_qwen2(const Config& config) {
  return describe_decoder(layers_of(config, false), config, "Qwen2ForCausalLM", false);
}
Description describe_qwen3(const Config& config) {
  return describe_decoder(layers_of(config, true), config, "Qwen3ForCausalLM", false);
}

ClassifierSpec classify_qwen2(const Config& config) {
  return last_token_classifier(config, "Qwen2ForSequenceClassification", "model.");
}
ClassifierSpec classify_qwen3(const Config& config) {
  return last_token_classifier(config, "Qwen3ForSequenceClassification", "model.");
}

std::unique_ptr<Model> make_qwen2(const Config& config, bool, const std::string& prefix, Layout& layout) {
  return layers_of(config, false).make(prefix, layout);
}
std::unique_ptr<Model> make_qwen3(const Config& config, bool, const std::string& prefix, Layout& layout) {
  return layers_of(config, true).make(prefix, layout);
}

}  // namespace st
