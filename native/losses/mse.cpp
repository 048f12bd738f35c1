#include "losses/embed_distill.h"

namespace st {

// EmbedDistillLoss with the mean squared error (Reimers and Gurevych 2020).
std::unique_ptr<Loss> make_mse(const Config& spec, int64_t width, LossLayout layout) {
  require_options(spec, {"projectionDim"});
  return std::make_unique<EmbedDistill>(spec, "MSELoss", "mse", width, layout);
}

}  // namespace st
