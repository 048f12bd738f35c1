#include "models/static_embedding.h"

#include "core/model_config.h"
#include "models/bert_family.h"
#include "models/transformer.h"

namespace st {

namespace {

struct TableSizes {
  int64_t vocabulary, width;
  explicit TableSizes(const ModelConfig& config)
      : vocabulary(config.size("vocab_size", 0)), width(config.size("hidden_size", 0)) {}
};

}  // namespace

Description describe_static_embedding(const Config& config) {
  const TableSizes sizes{ModelConfig(config)};
  Description out;
  out.width = sizes.width;
  out.vocabulary = sizes.vocabulary;
  out.token_types = 0;
  out.layers = 0;
  // Model2Vec's name.
  out.names.renames = {{"embeddings", "embedding.weight"}};
  out.names.prefixes = {"0."};
  return out;
}

Initial initial_static_embedding(const Config&, const std::string&, const std::vector<int64_t>&) {
  return {.deviation = 1};
}

std::unique_ptr<Model> make_static_embedding(const Config& config, bool, const std::string& prefix, Layout& layout) {
  const TableSizes sizes{ModelConfig(config)};
  const ParamId word = layout.add(prefix + "embedding.weight", {sizes.vocabulary, sizes.width}, Group::kDecay);
  Stack<Layer<FeedForward>> stack{
      .embeddings = Embeddings({word}, sizes.width, {}, {}, {}), .layers = {}, .width = sizes.width};
  return make_transformer({sizes.width, sizes.vocabulary, 1, kAnyLength, true}, std::move(stack), false, prefix,
                          layout);
}

}  // namespace st
