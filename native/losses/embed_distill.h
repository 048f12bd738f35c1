#pragma once

#include <string>

#include "losses/loss.h"

namespace st {

// Mean over the columns of the distance between embeddings and the teacher's embeddings (Kim et al. 2023). On
// request, embeddings are first projected to the teacher's width. A label is one teacher embedding for all texts of a
// row, or one for each text.
class EmbedDistill : public Loss {
 public:
  // `metric`: mse, l2 or cosine.
  EmbedDistill(const Config& spec, const char* name, const std::string& metric, int64_t width, LossLayout layout);
  LossNeeds needs() const override { return {.teacher = true}; }
  void initialize(Parameters& parameters, uint64_t seed) const override;
  void check_batch(const LossInput& input) const override;
  LossValue forward(const LossInput& input) const override;

 private:
  at::Tensor distance(const at::Tensor& student_BT, const at::Tensor& teacher_BT) const;

  const char* name_;
  enum class Metric { kMse, kL2, kCosine } metric_;
  int64_t width_, teacher_width_;
  bool projects_;
  ParamId weight_{}, bias_{};
};

}  // namespace st
