#include "models/t5_decoder.h"

#include <cmath>
#include <utility>

namespace st {

namespace {

// Of dropout: behind those of any encoder.
constexpr uint32_t kFirstSite = 1 << 15;

template <typename FeedForward>
std::unique_ptr<Decoder> make_stack(const T5Options& options, const SharedWords& words, const std::string& prefix,
                                    Layout& layout) {
  const TransformerSizes& sizes = options.sizes;
  const int64_t layers = options.decoder_layers;
  const T5Blocks blocks(options, prefix + "decoder.", layout);
  const BiasTable bias = blocks.bias(false);
  uint32_t site = kFirstSite;
  Stack<DecoderLayer<FeedForward>> stack{
      .embeddings = Embeddings({words.table}, sizes.width, {}, {}, {.dropout = sizes.dropout, .site = site++}),
      .layers = {},
      .width = sizes.width,
      .first_norm = FirstNorm(blocks.norm_before(0, layers), sizes.width)};
  for (int64_t i = 0; i < layers; ++i) {
    const std::string layer = "block." + std::to_string(i) + ".layer.";
    const Norm before_cross = blocks.norm(layer + "1.layer_norm"), inside = blocks.norm(layer + "2.layer_norm");
    const SelfAttention attention = blocks.self_attention(layer + "0.SelfAttention", bias, true, before_cross, site);
    const CrossAttention cross = blocks.cross_attention(layer + "1.EncDecAttention", inside, site + 2);
    const Norm next = blocks.norm_before(i + 1, layers);
    stack.layers.push_back(
        {attention, cross, blocks.feed_forward<FeedForward>(layer + "2.DenseReluDense", next, site + 4)});
    site += 6;
  }
  stack.last_dropout = {sizes.dropout, site};
  const ParamId matrix =
      words.head ? words.table : layout.add(prefix + "lm_head.weight", {sizes.vocabulary, sizes.width}, Group::kDecay);
  const double scale = options.scales_output ? 1 / std::sqrt(static_cast<double>(sizes.width)) : 1;
  return std::make_unique<T5Decoder<FeedForward>>(std::move(stack), Decoder::Head{matrix, scale});
}

std::unique_ptr<Decoder> make(const T5Options& options, const SharedWords& words, const std::string& prefix,
                              Layout& layout) {
  return options.gated ? make_stack<GatedFeedForward>(options, words, prefix, layout)
                       : make_stack<FeedForward>(options, words, prefix, layout);
}

}  // namespace

std::unique_ptr<Decoder> make_t5_decoder(const Config& config, const SharedWords& words, const std::string& prefix,
                                         Layout& layout) {
  return make({config, kT5}, words, prefix, layout);
}
std::unique_ptr<Decoder> make_mt5_decoder(const Config& config, const SharedWords& words, const std::string& prefix,
                                          Layout& layout) {
  return make({config, kMT5}, words, prefix, layout);
}

}  // namespace st
