#include "models/bert_layers.h"

namespace st {

BertLayers::BertLayers(const Config& config, const SizeKeys& keys)
    : sizes(config, keys),
      norm{.epsilon = sizes.epsilon},
      activation(parse_activation(config.string("hidden_act", "gelu"), "hidden_act in config.json")) {}

std::vector<Layer<FeedForward>> BertLayers::add_to(Layout& layout, const std::string& prefix, uint32_t site) const {
  const int64_t width = sizes.width;
  std::vector<Layer<FeedForward>> layers;
  for (int64_t i = 0; i < sizes.layers; ++i) {
    const std::string name = prefix + "encoder.layer." + std::to_string(i), self = name + ".attention.self.";
    const auto output = [&](const std::string& block, int64_t in) {
      const Linear linear(layout, block + ".output.dense", in, width);
      const Norm after(layout, block + ".output.LayerNorm", width, norm);
      return OutputBlock(linear, after, NormPlace::kPost, sizes.dropout, site++);
    };
    const Linear qkv(layout, {{self + "query", width}, {self + "key", width}, {self + "value", width}}, width);
    const uint32_t attention_site = site++;
    const SelfAttention attention(qkv, {}, sizes.heads, sizes.attention_dropout, attention_site,
                                  output(name + ".attention", width));
    const Linear inner(layout, name + ".intermediate.dense", width, sizes.inner);
    layers.push_back({attention, FeedForward(inner, activation, output(name, sizes.inner))});
  }
  return layers;
}

int64_t padding_token(const Config& config, int64_t fallback, int64_t vocabulary) {
  const bool absent = config.object().count("pad_token_id") == 0;
  const int64_t token = absent ? fallback : config.integer("pad_token_id", -1);
  return token < vocabulary ? token : -1;
}

}  // namespace st
