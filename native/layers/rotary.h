#pragma once

#include <memory>
#include <optional>

#include "layers/pass.h"
#include "ops/linear_rotary.h"

namespace st {

// Rows longer than those of the training turn by other angles, each row by those of its own length (NTK-aware scaling):
// theta (factor length / trained - (factor - 1))^(width / (width - 2)).
struct DynamicNtk {
  double theta, factor;
  int64_t trained;  // positions
};

// Rotary position embeddings (Su et al. 2021): which columns of a projection are turned, and the angles. Copies share
// their table, so that all layers of a model have one.
class Rotary {
 public:
  // `frequency_R`: of each pair of columns (float32), rotary_frequencies() as a rule.
  Rotary(const RotaryShape& shape, const at::Tensor& frequency_R, const std::optional<DynamicNtk>& ntk = {});

  const RotaryShape& shape() const { return shape_; }
  // Of the tokens of a pass, on its device.
  RotaryAngles angles(const Pass& pass) const;

 private:
  struct Tables;
  RotaryShape shape_;
  std::shared_ptr<Tables> tables_;
};

// theta^(-2 i / rotated) for i below rotated / 2, in float32 as transformers computes them.
at::Tensor rotary_frequencies(double theta, int64_t rotated);

}  // namespace st
