#include <ATen/ops/index_select.h>
#include <ATen/ops/zeros.h>

#include "core/error.h"
#include "core/upload.h"
#include "losses/loss.h"

namespace st {

namespace {

// Cross-entropy of the tokens that were masked in the input (Devlin et al. 2019), by the head of the architecture's
// …ForMaskedLM: its last layer is the encoder's table of word embeddings, unless `tieWordEmbeddings` is false.
class MaskedLanguageModel : public Loss {
 public:
  MaskedLanguageModel(const Config& spec, LossLayout layout)
      : head_(layout.language_models().head(spec.member("config"), spec.boolean("tieWordEmbeddings", true),
                                            layout.layout, layout.prefix)) {
    require_options(spec, {"config", "tieWordEmbeddings"});
  }

  LossNeeds needs() const override { return {.tokens = true, .encoder = true, .targets = true, .capturable = false}; }
  void initialize(Parameters& parameters, uint64_t seed) const override { head_->initialize(parameters, seed); }

  void check_batch(const LossInput& input) const override {
    require_columns("MaskedLanguageModelLoss", input, 1, 1);
    const auto& [ids, offsets, tokens] = input.targets;
    check(static_cast<int64_t>(ids.size()) == tokens, "ERR_INVALID_DATA",
          "MaskedLanguageModelLoss needs a target for each of ", tokens, " tokens but found ", ids.size());
  }

  LossValue forward(const LossInput& input) const override {
    std::vector<int64_t> places, labels;
    const std::span<const int32_t> targets = input.targets.ids;
    for (size_t i = 0; i < targets.size(); ++i) {
      if (targets[i] < 0) continue;
      places.push_back(static_cast<int64_t>(i));
      labels.push_back(targets[i]);
    }
    // No token to predict: nothing to learn, where torch's mean over nothing is NaN.
    if (places.empty()) return at::zeros({}, input.tokens_TD.options().requires_grad(false));
    const at::Device device = input.tokens_TD.device();
    const at::Tensor masked_TD = at::index_select(input.tokens_TD, 0, upload<int64_t>(places, device));
    return vocabulary_loss(head_->last_layer({input.parameters, input.encoder}, masked_TD),
                           upload<int64_t>(labels, device));
  }

 private:
  std::unique_ptr<LanguageModelHead> head_;
};

}  // namespace

std::unique_ptr<Loss> make_masked_language_model(const Config& spec, int64_t, LossLayout layout) {
  return std::make_unique<MaskedLanguageModel>(spec, layout);
}

}  // namespace st
