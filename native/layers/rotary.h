#pragma once

#include <memory>
#include <optional>

#include "layers/pass.h"
#include "onnx/graph.h"
#include "ops/linear_rotary.h"

namespace st {

// Rows longer than those of the training use other angles, each row those of its own length (NTK-aware scaling):
// theta (factor length / trained - (factor - 1))^(width / (width - 2)).
struct DynamicNtk {
  double factor;
  int64_t trained;  // positions
};

// Pair i of w columns rotates by theta^(-2 i / w) / divisor at each position.
struct RotaryBase {
  double theta;
  double divisor = 1;
  std::optional<DynamicNtk> ntk = {};
};

// Rotary position embeddings (Su et al. 2021): the rotated columns of a projection, and the angles, in float32 as
// transformers computes them, or in float64 for models of that dtype. Copies share their tables, so all layers of a
// model use one.
class Rotary {
 public:
  Rotary(const RotaryShape& shape, const RotaryBase& base);

  const RotaryShape& shape() const { return shape_; }
  // For the tokens of a pass, on its device.
  RotaryAngles angles(const Pass& pass) const;
  // Heads of queries or keys [B, H, S, E], turned.
  onnx::Value add_to(onnx::Graph& graph, const onnx::Value& x_BHSE) const;

 private:
  struct Tables;
  const RotaryBase& base() const;

  RotaryShape shape_;
  std::shared_ptr<Tables> tables_;
};

at::Tensor rotary_frequencies(const RotaryBase& base, int64_t rotated, at::ScalarType type);

}  // namespace st
