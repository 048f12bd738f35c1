#include "engine/gathered.h"

#include <ATen/TensorOperators.h>

#include <cmath>

#include "ops/similarity.h"

namespace st {

void Gathered::add(const LossValue& value) {
  const auto loss = value.total.item<double>();
  if (std::isfinite(loss)) {
    sum += loss;
    ++finite;
  }
  for (const auto& [name, number] : value.logged) {
    auto& [total, count] = components[name];
    total += number.item<double>();
    ++count;
  }
}

void Gathered::report(StepReport& out) const {
  out.loss = finite > 0 ? sum / static_cast<double>(finite) : kNone;
  for (const auto& [name, part] : components) out.components[name] = part.first / static_cast<double>(part.second);
}

double mean_cosine(double squares, int64_t rows) {
  const auto n = static_cast<double>(rows);
  return rows < 2 ? kNone : (squares - n) / (n * (n - 1));
}

at::Tensor cosine_squares(const at::Tensor& x_BD) {
  return normalize_rows(x_BD).sum(0).pow(2).sum();
}

}  // namespace st
