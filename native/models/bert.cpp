#include "models/bert.h"

#include "core/error.h"
#include "models/bert_layers.h"
#include "models/transformer.h"

namespace st {

std::unique_ptr<Model> make_bert(const Config& config, bool pooler, const std::string& prefix, Layout& layout) {
  const BertLayers layers(config);
  const TransformerSizes& sizes = layers.sizes;
  const std::string positions = config.string("position_embedding_type", "absolute");
  check(positions == "absolute", "ERR_NOT_IMPLEMENTED", "position_embedding_type ", positions,
        " is not built: expected absolute");
  check(!config.boolean("is_decoder", false), "ERR_NOT_IMPLEMENTED", "A BERT with is_decoder true is not built");

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
