#include "models/bert.h"

#include "models/bert_layers.h"
#include "models/transformer.h"

namespace st {

std::unique_ptr<Model> make_bert(const Config& config, bool pooler, const std::string& prefix, Layout& layout) {
  const BertLayers layers(config);
  const TransformerSizes& sizes = layers.sizes;

  const auto table = [&](const char* name, int64_t rows) {
    return layout.add(prefix + "embeddings." + name + "_embeddings.weight", {rows, sizes.width}, Group::kDecay);
  };
  const ParamId word = table("word", sizes.vocabulary), position = table("position", sizes.positions),
                type = table("token_type", sizes.token_types);
  const Norm norm(layout, prefix + "embeddings.LayerNorm", sizes.width, layers.norm);
  const EmbeddingOptions options{
      .dropout = sizes.dropout, .site = 0, .padding = padding_token(config, 0, sizes.vocabulary)};
  Stack<Layer<FeedForward>> stack{.embeddings = Embeddings({word, position, type}, sizes.width, norm, {}, options),
                                  .layers = layers.add_to(layout, prefix, 1),
                                  .width = sizes.width};
  std::optional<Pooler> own_pooler;
  if (pooler) own_pooler.emplace(layout, prefix, sizes.width);
  return std::make_unique<Transformer<Layer<FeedForward>>>(
      ModelSizes{sizes.width, sizes.vocabulary, sizes.token_types, sizes.positions}, std::move(stack), own_pooler);
}

}  // namespace st
