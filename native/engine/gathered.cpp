#include "engine/gathered.h"

#include <ATen/TensorOperators.h>

#include <cmath>

#include "ops/similarity.h"

namespace st {

void Gathered::add(double loss, const std::vector<std::pair<std::string, double>>& logged) {
  ++batches;
  if (std::isfinite(loss)) {
    loss_sum += loss;
    ++finite_batches;
  }
  for (const auto& [name, value] : logged) {
    auto& [sum, count] = components[name];
    sum += value;
    ++count;
  }
}

StepReport Gathered::report(double grad_norm) const {
  StepReport out;
  out.loss = finite_batches > 0 ? loss_sum / static_cast<double>(finite_batches) : kNone;
  out.batches = batches;
  for (const auto& [name, part] : components) out.components[name] = part.first / static_cast<double>(part.second);
  out.grad_norm = grad_norm;
  out.updates = updates;
  out.skipped = skipped;
  out.forward_ms = forward_ms;
  out.backward_ms = backward_ms;
  out.optimizer_ms = optimizer_ms;
  out.tokens = tokens;
  out.mean_cosine = mean_cosine;
  return out;
}

double mean_cosine(const at::Tensor& x_BD) {
  const auto rows = static_cast<double>(x_BD.size(0));
  if (rows < 2) return kNone;
  const double squares = normalize_rows(x_BD).sum(0).pow(2).sum().item<double>();
  return (squares - rows) / (rows * (rows - 1));
}

}  // namespace st
