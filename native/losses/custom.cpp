#include "core/error.h"
#include "core/sizes.h"
#include "losses/loss.h"

namespace st {

namespace {

// A loss that the caller computes from the embeddings. This class only holds its parameters: zero until they are
// loaded; zeroed, clipped, decayed and updated like all others.
class Custom : public Loss {
 public:
  Custom(const Config& spec, LossLayout layout) {
    require_options(spec, {"parameters"});
    if (!spec.has("parameters")) return;
    for (const auto& [name, parameter] : spec.member("parameters").object()) {
      const std::vector<int64_t> shape = whole_numbers(parameter, "shape", 1);
      check(!shape.empty(), "ERR_INVALID_ARGUMENT", "Expected a shape for the parameter ", name, " of a custom loss");
      layout.add(name, shape, parameter.boolean("decay", shape.size() > 1) ? Group::kDecay : Group::kNoDecay);
    }
  }

  LossNeeds needs() const override { return {.external = true, .capturable = false}; }
  void check_batch(const LossInput&) const override {}
  LossValue forward(const LossInput&) const override {
    fail("ERR_INVALID_ARGUMENT", "A custom loss has no forward pass here: use embed and apply");
  }
};

}  // namespace

std::unique_ptr<Loss> make_custom(const Config& spec, int64_t, LossLayout layout) {
  return std::make_unique<Custom>(spec, layout);
}

}  // namespace st
