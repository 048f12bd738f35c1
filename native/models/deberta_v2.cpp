#include "models/deberta_v2.h"

#include <algorithm>

#include "core/error.h"
#include "core/model_config.h"
#include "layers/disentangled_attention.h"
#include "models/bert_family.h"
#include "models/transformer.h"

namespace st {

namespace {

SizeKeys keys() {
  SizeKeys out;
  out.width.fallback = 1536;
  out.heads.fallback = 24;
  out.inner.fallback = 6144;
  out.layers.fallback = 24;
  out.vocabulary.fallback = 128100;
  out.token_types.fallback = 0;
  out.may_lack_types = true;
  out.epsilon.fallback = 1e-7;
  return out;
}

// Whether a text of names with bars between them, or a list of names, has this one.
bool lists(const Config& given, const std::string& key, const std::string& wanted) {
  if (!given.has(key)) return false;
  const Config& value = given.member(key);
  std::vector<std::string> names;
  if (const std::string* text = value.if_string()) {
    for (size_t begin = 0; begin <= text->size();) {
      const size_t end = std::min(text->find('|', begin), text->size());
      std::string name = text->substr(begin, end - begin);
      name.erase(0, name.find_first_not_of(' '));
      name.erase(name.find_last_not_of(' ') + 1);
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      names.push_back(name);
      begin = end + 1;
    }
  } else if (const Config::Array* list = value.if_array()) {
    for (const Config& one : *list) {
      if (const std::string* name = one.if_string()) names.push_back(*name);
    }
  } else {
    fail("ERR_INVALID_MODEL", "Expected a text or a list of texts as ", key, " in config.json, found ", value.shown());
  }
  return std::find(names.begin(), names.end(), wanted) != names.end();
}

// Buckets of distances; 0: one for each distance.
int64_t buckets_of(const ModelConfig& config) {
  return std::max<int64_t>(config.integer("position_buckets", -1, -1, 1'000'000), 0);
}

int64_t max_distance_of(const ModelConfig& config, const TransformerSizes& sizes) {
  const int64_t given = config.integer("max_relative_positions", -1, -1, 10'000'000);
  return given < 1 ? sizes.positions : given;
}

void refuse(const Config& given, const TransformerSizes& sizes) {
  const ModelConfig config(given);
  if (!config.boolean("relative_attention", false)) config.not_built("relative_attention", "true");
  if (!config.boolean("share_att_key", false)) config.not_built("share_att_key", "true");
  for (const char* type : {"c2p", "p2c"}) {
    if (!lists(given, "pos_att_type", type)) config.not_built("pos_att_type", "c2p and p2c together");
  }
  lists(given, "norm_rel_ebd", "layer_norm");
  if (config.integer("conv_kernel_size", 0) > 0) config.not_built("conv_kernel_size", "0");
  if (config.integer("embedding_size", sizes.width) != sizes.width) {
    config.not_built("embedding_size", "that of hidden_size");
  }
  const int64_t head = sizes.width / sizes.heads;
  if (config.integer("attention_head_size", head) != head) {
    config.not_built("attention_head_size", "hidden_size / num_attention_heads");
  }
  const int64_t buckets = buckets_of(config), longest = max_distance_of(config, sizes);
  check(buckets == 0 || (buckets >= 4 && buckets / 2 < longest - 1), "ERR_INVALID_MODEL",
        "Expected position_buckets of at least 4 whose half is below max_relative_positions - 1 in config.json, found ",
        buckets, " and ", longest);
}

}  // namespace

Description describe_deberta_v2(const Config& given) {
  const TransformerSizes sizes(given, keys());
  refuse(given, sizes);
  const ModelConfig config(given);
  parse_activation(config.text("hidden_act", "gelu"), "hidden_act in config.json");
  config.integer("pad_token_id", 0);
  config.boolean("position_biased_input", true);

  Description out = description_of(sizes, "num_hidden_layers", sizes.positions, sizes.token_types);
  CheckpointNames& names = out.names;
  names.prefixes = usual_prefixes({"deberta."});
  names.left_out = {"embeddings.position_ids"};
  // A table that files may have beside a configuration without absolute positions.
  if (!config.boolean("position_biased_input", true)) names.left_out.push_back("embeddings.position_embeddings.weight");
  for (const char* head : {"pooler", "cls", "lm_predictions", "mask_predictions"}) names.heads.push_back(head);
  names.layer = "encoder.layer.";
  return out;
}

ClassifierSpec classify_deberta_v2(const Config& given) {
  const ModelConfig config(given);
  ClassifierSpec out = pooler_classifier(given, "DebertaV2ForSequenceClassification", "deberta.");
  out.dropout_before = config.probability("pooler_dropout", 0);
  out.dense_outside = true;
  out.activation = parse_activation(config.text("pooler_hidden_act", "gelu"), "pooler_hidden_act in config.json");
  out.dropout = config.probability("cls_dropout", config.probability("hidden_dropout_prob", 0.1));
  return out;
}

std::unique_ptr<Model> make_deberta_v2(const Config& given, bool, const std::string& prefix, Layout& layout) {
  const TransformerSizes sizes(given, keys());
  const ModelConfig config(given);
  const NormOptions norm{.epsilon = sizes.epsilon};
  const int64_t width = sizes.width, buckets = buckets_of(config);
  const bool absolute = config.boolean("position_biased_input", true);
  const BertEmbeddings tables(layout, prefix + "embeddings.", sizes, absolute ? sizes.positions : 0, sizes.token_types,
                              width, norm);
  const std::string encoder = prefix + "encoder.";
  RelativePositions relative{.table = -1,
                             .norm = {},
                             .span = buckets > 0 ? buckets : max_distance_of(config, sizes),
                             .buckets = buckets,
                             .max_distance = max_distance_of(config, sizes),
                             .dropout = sizes.dropout};
  relative.table = layout.add(encoder + "rel_embeddings.weight", {2 * relative.span, width}, Group::kDecay);
  if (lists(given, "norm_rel_ebd", "layer_norm")) relative.norm = Norm(layout, encoder + "LayerNorm", width, norm);
  const Activation activation = parse_activation(config.text("hidden_act", "gelu"), "hidden_act in config.json");
  Stack<Layer<FeedForward, DisentangledAttention>> stack{
      .embeddings = tables.with({.dropout = sizes.dropout, .padding = padding_token(given, 0, sizes.vocabulary)}),
      .layers = {},
      .width = width};
  uint32_t site = 1;
  for (int64_t i = 0; i < sizes.layers; ++i) {
    const std::string layer = encoder + "layer." + std::to_string(i) + ".";
    const Linear mix(layout, layer + "attention.output.dense", width, width);
    const OutputBlock mixed(mix, Norm(layout, layer + "attention.output.LayerNorm", width, norm), NormPlace::kPost,
                            sizes.dropout, site + 2);
    const Linear inner(layout, layer + "intermediate.dense", width, sizes.inner);
    const Linear outer(layout, layer + "output.dense", sizes.inner, width);
    const OutputBlock output(outer, Norm(layout, layer + "output.LayerNorm", width, norm), NormPlace::kPost,
                             sizes.dropout, site + 3);
    stack.layers.push_back({DisentangledAttention(layout, layer + "attention.self.", {sizes.heads, width}, relative,
                                                  sizes.attention_dropout, site, mixed),
                            FeedForward(inner, activation, output)});
    site += 4;
  }
  return make_transformer({width, sizes.vocabulary, std::max<int64_t>(sizes.token_types, 1), sizes.positions},
                          std::move(stack), false, prefix, layout);
}

}  // namespace st
