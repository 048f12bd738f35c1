#include "models/bert_family.h"

#include "core/model_config.h"

namespace st {

BertLayers::BertLayers(const Config& config, const SizeKeys& keys, const std::string& activation_key)
    : sizes(config, keys),
      norm{.epsilon = sizes.epsilon},
      activation(
          parse_activation(ModelConfig(config).text(activation_key, "gelu"), activation_key + " in config.json")),
      output_dropout(sizes.dropout) {}

std::vector<Layer<FeedForward>> BertLayers::add_to(Layout& layout, const std::string& prefix,
                                                   const BertLayerNames& names, uint32_t site,
                                                   const std::optional<BiasTable>& bias) const {
  const int64_t width = sizes.width;
  std::vector<Layer<FeedForward>> layers;
  for (int64_t i = 0; i < sizes.layers; ++i) {
    const std::string layer = prefix + std::to_string(i) + ".";
    const Linear qkv(layout, {{layer + names.query, width}, {layer + names.key, width}, {layer + names.value, width}},
                     width);
    const Linear mix(layout, layer + names.attention_output, width, width);
    const Norm attention_norm(layout, layer + names.attention_norm, width, norm);
    const OutputBlock mixed(mix, attention_norm, NormPlace::kPost, output_dropout, site + 1);
    const SelfAttention attention(qkv, {}, self_attention_shape(sizes.heads, width), bias, sizes.attention_dropout,
                                  site, mixed);
    const Linear inner(layout, layer + names.inner, width, sizes.inner);
    const Linear outer(layout, layer + names.output, sizes.inner, width);
    const Norm output_norm(layout, layer + names.norm, width, norm);
    layers.push_back(
        {attention, FeedForward(inner, activation, {outer, output_norm, NormPlace::kPost, sizes.dropout, site + 2})});
    site += 3;
  }
  return layers;
}

int64_t padding_token(const Config& config, int64_t fallback, int64_t vocabulary) {
  const bool absent = config.object().count("pad_token_id") == 0;
  const int64_t token = absent ? fallback : ModelConfig(config).integer("pad_token_id", -1);
  return token < vocabulary ? token : -1;
}

BertEmbeddings::BertEmbeddings(Layout& layout, const std::string& prefix, const TransformerSizes& sizes,
                               int64_t positions, int64_t token_types, int64_t width, const NormOptions& norm)
    : width_(width) {
  const auto table = [&](const char* name, int64_t rows) {
    return layout.add(prefix + name + "_embeddings.weight", {rows, width}, Group::kDecay);
  };
  tables_.word = table("word", sizes.vocabulary);
  if (positions > 0) tables_.position = table("position", positions);
  if (token_types > 0) tables_.type = table("token_type", token_types);
  norm_ = Norm(layout, prefix + "LayerNorm", width, norm);
}

}  // namespace st
