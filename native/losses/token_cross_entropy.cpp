#include "core/error.h"
#include "losses/loss.h"

namespace st {

namespace {

// Cross-entropy of the tokens of target texts, which the model's decoder writes: what T5ForConditionalGeneration
// returns as its loss.
class TokenCrossEntropy : public Loss {
 public:
  explicit TokenCrossEntropy(const Config& spec) { require_options(spec, {}); }

  LossNeeds needs() const override { return {.tokens = true, .targets = true, .decoder = true, .capturable = false}; }

  void check_batch(const LossInput& input) const override {
    require_columns("TokenCrossEntropy", input, 1, 1);
    const Targets& targets = input.targets;
    check(targets.rows() == input.rows(), "ERR_INVALID_DATA", "TokenCrossEntropy needs ", input.rows(),
          " target texts, one for each row, but found ", targets.rows());
  }

  LossValue forward(const LossInput& input) const override {
    return input.decoder->loss(input.tokens_TD, input.targets.ids, input.targets.offsets);
  }
};

}  // namespace

std::unique_ptr<Loss> make_token_cross_entropy(const Config& spec, int64_t, LossLayout) {
  return std::make_unique<TokenCrossEntropy>(spec);
}

}  // namespace st
