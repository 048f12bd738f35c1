#include "models/word_weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/index_put.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>

#include <unordered_set>

#include "core/error.h"
#include "core/model_config.h"
#include "core/upload.h"
#include "models/bert_family.h"
#include "models/transformer.h"

namespace st {

namespace {

struct WordSizes {
  int64_t vocabulary;
  bool frozen;
  explicit WordSizes(const ModelConfig& config)
      : vocabulary(config.size("vocab_size", 0)), frozen(config.boolean("frozen", false)) {}
};

class WordPresence : public Head {
 public:
  explicit WordPresence(int64_t vocabulary) : vocabulary_(vocabulary) {}

  void forward(HeadState& state) const override {
    const Rows& batch = state.pass.input.batch;
    std::vector<int64_t> tokens, places;  // the first token of each kind in a row, and its number in the result
    for (int64_t row = 0; row < batch.rows(); ++row) {
      std::unordered_set<int32_t> seen;
      for (int32_t t = batch.offsets[row]; t < batch.offsets[row + 1]; ++t) {
        if (!seen.insert(batch.ids[t]).second) continue;
        tokens.push_back(t);
        places.push_back(row * vocabulary_ + batch.ids[t]);
      }
    }
    const at::Device device = state.tokens_TD.device();
    const at::Tensor weights_T = at::index_select(state.tokens_TD, 0, upload<int64_t>(tokens, device)).view({-1});
    const at::Tensor none = at::zeros({batch.rows() * vocabulary_}, state.tokens_TD.options().requires_grad(false));
    state.sentence_RD =
        at::index_put(none, {upload<int64_t>(places, device)}, weights_T).view({batch.rows(), vocabulary_});
  }
  bool add_to(HeadGraph&) const override {
    fail("ERR_NOT_IMPLEMENTED", "The export of SparseStaticEmbedding to ONNX is not built");
  }
  int64_t width() const override { return vocabulary_; }
  // It reads the tokens on the host.
  bool takes_fixed() const override { return false; }

 private:
  int64_t vocabulary_;
};

}  // namespace

Description describe_word_weights(const Config& config) {
  const WordSizes sizes{ModelConfig(config)};
  Description out;
  out.width = 1;
  out.vocabulary = sizes.vocabulary;
  out.token_types = 0;
  out.layers = 0;
  return out;
}

Initial initial_word_weights(const Config&, const std::string&, const std::vector<int64_t>&) {
  return {.mean = 1};
}

std::unique_ptr<Model> make_word_weights(const Config& config, bool, const std::string& prefix, Layout& layout) {
  const WordSizes sizes{ModelConfig(config)};
  const Group group = sizes.frozen ? Group::kFrozen : Group::kDecay;
  const ParamId word = layout.add(prefix + "weight", {sizes.vocabulary, 1}, group);
  Stack<Layer<FeedForward>> stack{.embeddings = Embeddings({word}, 1, {}, {}, {}), .layers = {}, .width = 1};
  return make_transformer({1, sizes.vocabulary, 1, kAnyLength, true}, std::move(stack), false, prefix, layout);
}

std::unique_ptr<Head> make_word_presence(int64_t vocabulary) {
  return std::make_unique<WordPresence>(vocabulary);
}

}  // namespace st
