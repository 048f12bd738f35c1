#include "losses/embed_distill.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/stack.h>

#include <limits>

#include "core/error.h"

namespace st {

EmbedDistill::EmbedDistill(const Config& spec, const char* name, const std::string& metric, int64_t width,
                           LossLayout layout)
    : name_(name), width_(width), projects_(spec.has("projectionDim")) {
  check(metric == "mse" || metric == "l2" || metric == "cosine", "ERR_INVALID_ARGUMENT",
        "Expected one of cosine, l2, mse for distanceMetric but found ", metric);
  metric_ = metric == "mse" ? Metric::kMse : metric == "l2" ? Metric::kL2 : Metric::kCosine;
  teacher_width_ = projects_ ? spec.integer("projectionDim") : width;
  check(teacher_width_ >= 1, "ERR_INVALID_ARGUMENT", "Expected at least 1 for projectionDim but found ",
        teacher_width_);
  if (!projects_) return;
  weight_ = layout.add("projection.weight", {teacher_width_, width}, Group::kDecay);
  bias_ = layout.add("projection.bias", {teacher_width_}, Group::kNoDecay);
}

void EmbedDistill::initialize(Parameters& parameters, uint64_t seed) const {
  if (projects_) initialize_linear(parameters, weight_, bias_, width_, seed);
}

void EmbedDistill::check_batch(const LossInput& input) const {
  require_columns(name_, input, 1, std::numeric_limits<int64_t>::max());
  check(input.labels.defined(), "ERR_INVALID_DATA", name_,
        " needs a teacher's embedding as label of each row, but the batch has none");
  const at::IntArrayRef shape = input.labels.sizes();
  const bool fits = (shape.size() == 2 || (shape.size() == 3 && shape[1] == input.columns())) &&
                    shape.front() == input.rows() && shape.back() == teacher_width_;
  check(fits, "ERR_INVALID_DATA", name_, " needs labels of the shape [", input.rows(), ", ", teacher_width_, "] or [",
        input.rows(), ", ", input.columns(), ", ", teacher_width_, "], embeddings of a teacher, but found ", shape,
        projects_ ? "" : "; projectionDim is for a teacher of another width");
}

at::Tensor EmbedDistill::distance(const at::Tensor& student_BT, const at::Tensor& teacher_BT) const {
  switch (metric_) {
    case Metric::kMse:
      return at::mse_loss(student_BT, teacher_BT);
    case Metric::kL2:
      return at::linalg_vector_norm(student_BT - teacher_BT, 2, at::IntArrayRef{-1}).mean();
    case Metric::kCosine:
      return (1 - at::cosine_similarity(student_BT, teacher_BT, -1, 1e-8)).mean();
  }
  fail("ERR_INTERNAL", "unknown metric");
}

LossValue EmbedDistill::forward(const LossInput& input) const {
  const at::Tensor labels = input.labels.to(input.embeddings_CBD.scalar_type());
  std::vector<at::Tensor> losses;
  for (int64_t c = 0; c < input.columns(); ++c) {
    const at::Tensor student_BD = input.column(c);
    losses.push_back(
        distance(projects_ ? at::linear(student_BD, input.parameters[weight_], input.parameters[bias_]) : student_BD,
                 labels.dim() == 3 ? labels.select(1, c) : labels));
  }
  return at::stack(losses).mean();
}

std::unique_ptr<Loss> make_embed_distill(const Config& spec, int64_t width, LossLayout layout) {
  require_options(spec, {"distanceMetric", "projectionDim"});
  return std::make_unique<EmbedDistill>(spec, "EmbedDistillLoss", spec.string("distanceMetric", "cosine"), width,
                                        layout);
}

}  // namespace st
