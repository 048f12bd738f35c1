#pragma once

#include <memory>

#include "layers/pass.h"
#include "ops/linear_rotary.h"

namespace st {

// Rotary position embeddings (Su et al. 2021): which columns of a projection are turned, and the angles. Copies share
// their table, so that all layers of a model have one.
class Rotary {
 public:
  // `frequency_R`: of each pair of columns (float32), rotary_frequencies() as a rule.
  Rotary(const RotaryShape& shape, const at::Tensor& frequency_R);

  const RotaryShape& shape() const { return shape_; }
  // With a row for each position of the pass, on its device.
  at::Tensor table(const Pass& pass) const;

 private:
  struct Table;
  RotaryShape shape_;
  std::shared_ptr<Table> table_;
};

// theta^(-2 i / rotated) for i below rotated / 2, in float32 as transformers computes them.
at::Tensor rotary_frequencies(double theta, int64_t rotated);

}  // namespace st
