#include "models/bert.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tanh.h>

#include "core/error.h"
#include "core/sizes.h"
#include "layers/feed_forward.h"
#include "ops/embedding_norm.h"
#include "ops/pooling.h"

namespace st {

namespace {

struct Layer {
  SelfAttention attention;
  FeedForward feed_forward;

  struct Kept {
    SelfAttention::Kept attention;
    FeedForward::Kept feed_forward;
  };

  // out may be x where no backward follows.
  void forward(const Pass& pass, const at::Tensor& x_TD, const at::Tensor& out_TD, Kept& kept) {
    const at::Tensor middle_TD = pass.take(x_TD.size(1));
    attention.forward(pass, x_TD, middle_TD, kept.attention);
    feed_forward.forward(pass, middle_TD, out_TD, kept.feed_forward);
  }
};

struct BertKept : Model::Kept {
  explicit BertKept(size_t count) : layers(count) {}
  at::Tensor sum_TD, mean_T, rstd_T;  // of the embeddings
  DropoutMask mask;
  std::vector<Layer::Kept> layers;
};

class Bert : public Model {
 public:
  Bert(const Config& config, bool pooler, const std::string& prefix, Layout& layout);

  const ModelSizes& sizes() const override { return sizes_; }
  ParamId token_table() const override { return word_; }
  std::unique_ptr<Kept> make_kept() const override { return std::make_unique<BertKept>(layers_.size()); }
  at::Tensor forward(const Pass& pass, Kept& kept) override;
  void backward(const Pass& pass, Kept& kept, Gradients& gradients, at::Tensor d_x_TD,
                const std::vector<at::Tensor>& d_layers) override;
  int64_t kept_per_token(bool recompute) const override;
  at::Tensor pooler_output(const Pass& pass, const at::Tensor& x_TD) override;

 private:
  EmbeddingTables tables(const Pass& pass) const {
    return {pass.parameters.master(word_), pass.parameters.master(position_), pass.parameters.master(type_)};
  }

  ModelSizes sizes_;
  double dropout_;
  int64_t padding_token_;  // -1: none
  ParamId word_, position_, type_;
  Norm norm_;
  std::vector<Layer> layers_;
  ParamId pooler_weight_ = -1, pooler_bias_ = -1;
  int64_t inner_;
};

constexpr uint32_t kEmbeddingSite = 0;

// BertConfig's default is 0; null means that no token is for padding.
int64_t padding_token(const Config& config, int64_t vocabulary) {
  const bool absent = config.object().count("pad_token_id") == 0;
  const int64_t token = absent ? 0 : config.integer("pad_token_id", -1);
  return token < vocabulary ? token : -1;
}

Bert::Bert(const Config& config, bool pooler, const std::string& prefix, Layout& layout) {
  const TransformerSizes all(config);
  sizes_ = {all.width, all.vocabulary, all.token_types, all.positions};
  const LayerSizes sizes{all.width, all.heads, all.inner, all.epsilon, all.dropout, all.attention_dropout};
  const std::string positions = config.string("position_embedding_type", "absolute");
  check(positions == "absolute", "ERR_NOT_IMPLEMENTED", "position_embedding_type ", positions,
        " is not built: expected absolute");
  check(!config.boolean("is_decoder", false), "ERR_NOT_IMPLEMENTED", "A BERT with is_decoder true is not built");
  const Activation activation = parse_activation(config.string("hidden_act", "gelu"), "hidden_act in config.json");
  dropout_ = sizes.dropout;
  inner_ = sizes.inner;
  padding_token_ = padding_token(config, sizes_.vocabulary);

  word_ = layout.add(prefix + "embeddings.word_embeddings.weight", {sizes_.vocabulary, sizes_.width}, Group::kDecay);
  position_ =
      layout.add(prefix + "embeddings.position_embeddings.weight", {sizes_.positions, sizes_.width}, Group::kDecay);
  type_ =
      layout.add(prefix + "embeddings.token_type_embeddings.weight", {sizes_.token_types, sizes_.width}, Group::kDecay);
  norm_ = Norm(layout, prefix + "embeddings.LayerNorm", sizes_.width, sizes.epsilon);
  uint32_t site = kEmbeddingSite + 1;
  for (int64_t i = 0; i < all.layers; ++i) {
    const std::string name = prefix + "encoder.layer." + std::to_string(i);
    SelfAttention attention(layout, name + ".attention", sizes, site);
    site += SelfAttention::kSites;
    FeedForward feed_forward(layout, name, sizes, activation, site);
    site += FeedForward::kSites;
    layers_.push_back({std::move(attention), std::move(feed_forward)});
  }
  if (pooler) {
    pooler_weight_ = layout.add(prefix + "pooler.dense.weight", {sizes_.width, sizes_.width}, Group::kFrozen);
    pooler_bias_ = layout.add(prefix + "pooler.dense.bias", {sizes_.width}, Group::kFrozen);
  }
}

at::Tensor Bert::forward(const Pass& pass, Kept& given) {
  auto& kept = static_cast<BertKept&>(given);
  at::Tensor x_TD = pass.take(sizes_.width);
  kept.sum_TD = pass.take(sizes_.width, pass.master());
  kept.mean_T = pass.take_statistics();
  kept.rstd_T = pass.take_statistics();
  kept.mask = pass.mask_at(kEmbeddingSite, dropout_, sizes_.width);
  embedding_norm(pass.input, kept.mask, tables(pass), norm_.weights(pass), kept.sum_TD, x_TD, kept.mean_T, kept.rstd_T);
  kept.outputs_TD.clear();
  if (pass.training) kept.outputs_TD.push_back(x_TD);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const at::Tensor out_TD = pass.training ? pass.take(sizes_.width) : x_TD;
    if (pass.training && !pass.recompute) {
      layers_[i].forward(pass, x_TD, out_TD, kept.layers[i]);
    } else {
      // Nothing of the layer is kept but its output, which goes over its input where no backward pass follows.
      const Scratch scratch(pass.workspace);
      layers_[i].forward(pass, x_TD, out_TD, kept.layers[i]);
    }
    x_TD = out_TD;
    if (pass.training) kept.outputs_TD.push_back(x_TD);
  }
  return x_TD;
}

void Bert::backward(const Pass& pass, Kept& given, Gradients& gradients, at::Tensor d_x_TD,
                    const std::vector<at::Tensor>& d_layers) {
  auto& kept = static_cast<BertKept&>(given);
  for (size_t i = layers_.size(); i-- > 0;) {
    if (!d_layers.empty() && d_layers[i + 1].defined()) d_x_TD.add_(d_layers[i + 1]);
    const Scratch scratch(pass.workspace);
    Layer::Kept& of_layer = kept.layers[i];
    if (pass.recompute) layers_[i].forward(pass, kept.outputs_TD[i], kept.outputs_TD[i + 1], of_layer);
    d_x_TD = layers_[i].feed_forward.backward(pass, of_layer.feed_forward, gradients, d_x_TD);
    d_x_TD = layers_[i].attention.backward(pass, of_layer.attention, gradients, d_x_TD);
  }
  if (!d_layers.empty() && d_layers[0].defined()) d_x_TD.add_(d_layers[0]);
  // As torch.nn.Embedding with padding_idx: where a text does spell out [PAD], its embedding is not trained.
  const at::Tensor padding = padding_token_ >= 0 ? gradients[word_].select(0, padding_token_) : at::Tensor();
  const at::Tensor before = padding.defined() ? padding.clone() : padding;
  embedding_norm_backward(pass.input, kept.mask, norm_.weights(pass).gamma_D, d_x_TD, kept.sum_TD, kept.mean_T,
                          kept.rstd_T, {gradients[word_], gradients[position_], gradients[type_]},
                          norm_.gamma_gradient(gradients), norm_.beta_gradient(gradients));
  if (padding.defined()) padding.copy_(before);
  kept.outputs_TD.clear();
}

int64_t Bert::kept_per_token(bool recompute) const {
  // A layer keeps q, k, v, their mix, twice a sum, its norm and a mask of bits, and the inner states before and after
  // the activation.
  const int64_t layer = 8 * sizes_.width + sizes_.width / 8 + 2 * inner_, count = static_cast<int64_t>(layers_.size());
  return 2 * sizes_.width + (recompute ? count * sizes_.width + layer : count * layer);
}

at::Tensor Bert::pooler_output(const Pass& pass, const at::Tensor& x_TD) {
  check(pooler_weight_ >= 0, "ERR_INVALID_ARGUMENT",
        "This model has no pooler (pooler.dense.weight), so no pooler_output");
  const at::Tensor first_RD = pool(x_TD, pass.input.batch, {"cls"}, true);
  return at::tanh(at::addmm(pass.parameters.value(pooler_bias_), first_RD, pass.parameters.value(pooler_weight_).t()));
}

}  // namespace

std::unique_ptr<Model> make_bert(const Config& config, bool pooler, const std::string& prefix, Layout& layout) {
  return std::make_unique<Bert>(config, pooler, prefix, layout);
}

}  // namespace st
