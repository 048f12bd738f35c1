#include "engine/loss_scaler.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_amp_update_scale.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <limits>

#include "core/error.h"

namespace st {

LossScaler::LossScaler(at::Device device)
    : scale_(at::empty({}, at::TensorOptions().device(device).dtype(at::kFloat))),
      growth_tracker_(at::empty({}, at::TensorOptions().device(device).dtype(at::kInt))) {
  set({});
}

void LossScaler::update(const at::Tensor& skipped) {
  constexpr double kGrowth = 2, kBackoff = 0.5;
  constexpr int64_t kInterval = 2000;
  at::_amp_update_scale_(scale_, growth_tracker_, skipped, kGrowth, kBackoff, kInterval);
}

LossScaler::State LossScaler::state() const {
  return {scale_.item<double>(), growth_tracker_.item<int64_t>()};
}

void LossScaler::set(const State& state) {
  const bool is_float =
      std::isfinite(state.scale) && static_cast<double>(static_cast<float>(state.scale)) == state.scale;
  check(is_float && state.scale >= 0, "ERR_INVALID_ARGUMENT",
        "Expected a float32 of at least 0 for the scale of losses but found ", state.scale);
  check(state.growth_tracker >= 0 && state.growth_tracker <= std::numeric_limits<int32_t>::max(),
        "ERR_INVALID_ARGUMENT", "Expected a count of updates for the growth of the scale but found ",
        state.growth_tracker);
  scale_.fill_(state.scale);
  growth_tracker_.fill_(state.growth_tracker);
}

}  // namespace st
