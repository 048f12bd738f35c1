#include "models/gemma3.h"

#include <cmath>

#include "core/error.h"
#include "core/model_config.h"
#include "models/bert_family.h"
#include "models/decoder_layers.h"
#include "models/layer_types.h"

namespace st {

namespace {

constexpr double kGlobalTheta = 1'000'000, kLocalTheta = 10'000;

SizeKeys keys() {
  SizeKeys out = decoder_keys();
  out.width.fallback = 2304;
  out.heads.fallback = 8;
  out.inner.fallback = 9216;
  out.layers.fallback = 26;
  out.vocabulary.fallback = 262208;
  out.positions.fallback = 131072;
  out.head_dim = {"head_dim", 256};
  return out;
}

// Of one type of layers: `rope_parameters` by type, or the older `rope_theta`, `rope_local_base_freq` and, for layers
// that see all, `rope_scaling`.
RotaryBase rope_of(const Config& given, bool slides, int64_t head_dim) {
  const ModelConfig config(given);
  const char* type = slides ? "sliding_attention" : "full_attention";
  Config::Object options;
  if (config.has("rope_parameters")) {
    const Config& all = given.member("rope_parameters");
    const bool by_type = all.if_object() != nullptr && !all.has("rope_type") && !all.has("rope_theta");
    if (!by_type) config.not_built("rope_parameters", "objects of full_attention and sliding_attention");
    if (all.has(type)) options = all.member(type).object();
  }
  const bool scales = !slides && config.has("rope_scaling");
  if (scales) {
    for (const auto& [key, value] : given.member("rope_scaling").object()) options.insert_or_assign(key, value);
  }
  const double theta =
      config.positive(slides ? "rope_local_base_freq" : "rope_theta", slides ? kLocalTheta : kGlobalTheta, 1e12);
  return decoder_rope(Config(Config::Object{{"rope_parameters", Config(options)}, {"rope_theta", Config(theta)}}),
                      head_dim);
}

std::vector<DecoderLayerKind> kinds_of(const Config& given, const DecoderSizes& sizes) {
  const ModelConfig config(given);
  const bool both_ways = config.boolean("use_bidirectional_attention", false);
  // Towards the past the window counts the token itself; both ways a half of it lies on each side.
  const int64_t window = config.integer("sliding_window", 4096, 1);
  const DecoderLayerKind full{.causal = !both_ways, .rope = rope_of(given, false, sizes.head_dim)};
  const DecoderLayerKind sliding{.causal = !both_ways,
                                 .window = both_ways ? window / 2 : window - 1,
                                 .rope = rope_of(given, true, sizes.head_dim)};
  const int64_t pattern = config.integer("sliding_window_pattern", 6, 1);
  const std::vector<bool> slides = sliding_layers(given, sizes.layers);
  std::vector<DecoderLayerKind> out;
  for (int64_t i = 0; i < sizes.layers; ++i) {
    const bool slide = slides.empty() ? (i + 1) % pattern != 0 : slides[static_cast<size_t>(i)];
    out.push_back(slide ? sliding : full);
  }
  return out;
}

DecoderLayers layers_of(const Config& given) {
  const ModelConfig config(given);
  config.must_be("is_causal", true);
  if (config.has("attn_logit_softcapping")) config.not_built("attn_logit_softcapping", "null");
  const DecoderSizes sizes(given, keys(), 4);
  const bool bias = config.boolean("attention_bias", false);
  const std::string key = "hidden_activation";
  return {.sizes = sizes,
          .norm = {.epsilon = sizes.epsilon, .kind = NormKind::kRms, .beta = false, .one_plus = true},
          .activation = parse_activation(config.text(key, "gelu_pytorch_tanh"), key + " in config.json"),
          .kinds = kinds_of(given, sizes),
          .scale = 1 / std::sqrt(config.positive("query_pre_attn_scalar", 256, 1e9)),
          .qkv_bias = bias,
          .output_bias = bias,
          .head_norms = true,
          .branch_norms = true,
          .embedding = {.padding = padding_token(given, 0, sizes.vocabulary),
                        .word_scale = std::sqrt(static_cast<double>(sizes.width))}};
}

}  // namespace

Description describe_gemma3(const Config& config) {
  Description out = describe_decoder(layers_of(config), config, "Gemma3ForCausalLM", true);
  const std::string key = "final_logit_softcapping";
  if (ModelConfig(config).has(key)) out.causal->softcap = ModelConfig(config).positive(key, 1, 1e9);
  return out;
}

ClassifierSpec classify_gemma3(const Config& config) {
  ClassifierSpec out = last_token_classifier(config, "Gemma3TextForSequenceClassification", "model.");
  if (config.object().count("pad_token_id") == 0) out.padding = 0;
  return out;
}

Initial initial_gemma3(const Config& config, const std::string& name, const std::vector<int64_t>& shape) {
  // Norms multiply by 1 + weight.
  return shape.size() == 1 ? Initial{} : usual_initial(config, name, shape);
}

std::unique_ptr<Model> make_gemma3(const Config& config, bool, const std::string& prefix, Layout& layout) {
  return layers_of(config).make(prefix, layout);
}

}  // namespace st
