#include "losses/batch_triplets.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/diagonal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/masked_fill.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/max.h>
#include <ATen/ops/min.h>
#include <ATen/ops/sqrt.h>

#include "core/error.h"
#include "ops/similarity.h"

namespace st {

BatchTriplets::BatchTriplets(const Config& spec, const char* name, std::vector<std::string> options) : name_(name) {
  options.push_back("distanceMetric");
  require_options(spec, options);
  const std::string metric = spec.string("distanceMetric", "euclidean");
  cosine_ = metric == "cosine";
  check(cosine_ || metric == "euclidean", "ERR_INVALID_ARGUMENT",
        "Expected one of cosine, euclidean for distanceMetric but found ", metric);
}

void BatchTriplets::check_batch(const LossInput& input) const {
  require_columns(name_, input, 1, 1);
  require_labels(name_, input, true);
}

at::Tensor BatchTriplets::distances(const LossInput& input) const {
  const at::Tensor x_BD = input.column(0);
  if (cosine_) return 1 - cosine_matrix(x_BD, x_BD);
  const at::Tensor products_BB = at::matmul(x_BD, x_BD.t());
  const at::Tensor norms_B = products_BB.diagonal();
  at::Tensor squares_BB = norms_B.unsqueeze(0) - 2 * products_BB + norms_B.unsqueeze(1);
  squares_BB = squares_BB.masked_fill(squares_BB < 0, 0);
  // The root gets no gradient at zero: equal rows have distance 0 and gradient 0.
  const at::Tensor zero_BB = (squares_BB == 0).to(squares_BB.scalar_type());
  return (1 - zero_BB) * (squares_BB + zero_BB * 1e-16).sqrt();
}

std::pair<at::Tensor, at::Tensor> BatchTriplets::hardest(const LossInput& input) const {
  const at::Tensor distances_BB = distances(input), same_BB = same_class(input.labels);
  const at::Tensor self_BB = at::eye(input.rows(), same_BB.options());
  const at::Tensor positive_BB = same_BB.logical_and(self_BB.logical_not()).to(distances_BB.scalar_type());
  const at::Tensor farthest_B1 = std::get<0>((positive_BB * distances_BB).max(1, true));
  // Rows of the same class are sorted after all others.
  const at::Tensor greatest_B1 = std::get<0>(distances_BB.max(1, true));
  const at::Tensor nearest_B1 =
      std::get<0>((distances_BB + greatest_B1 * same_BB.to(distances_BB.scalar_type())).min(1, true));
  return {farthest_B1, nearest_B1};
}

at::Tensor same_class(const at::Tensor& labels_B) {
  return labels_B.unsqueeze(0) == labels_B.unsqueeze(1);
}

}  // namespace st
